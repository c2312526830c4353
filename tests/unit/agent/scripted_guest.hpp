#pragma once

#include <agent/agent.pb.h>
#include <agent/host/session.hpp>
#include <boost/test/unit_test.hpp>
#include <optional>
#include <string>
#include <vector>

namespace capsa::agent::test {

/// Plays the guest: reads what the session sends, answers by script.
struct ScriptedGuest final : SessionOutput {
  ScriptedGuest() { session.start({}); }

  void send(std::span<const std::byte> bytes) override {
    std::span<const std::byte> frame;
    while (splitter.take(bytes, frame) == FrameSplitter::Step::Frame) {
      wire::HostFrame parsed;
      BOOST_REQUIRE(parse_frame(frame, parsed));
      sent.push_back(parsed);
    }
  }
  void on_ready(const AgentVersion& got) override { version = got; }

  result<void> say(const wire::GuestFrame& frame) {
    std::string bytes;
    BOOST_REQUIRE(append_frame(frame, bytes));
    return session.feed(as_bytes(bytes));
  }
  void hello(unsigned major = kProtocolMajor) {
    wire::GuestFrame frame;
    frame.mutable_hello()->set_major(major);
    frame.mutable_hello()->set_agent_version("test");
    static_cast<void>(say(frame).ok());
  }
  result<void> data(RequestId id, wire::Stream stream, std::string bytes) {
    wire::GuestFrame frame;
    frame.set_id(id);
    frame.mutable_data()->set_stream(stream);
    frame.mutable_data()->set_bytes(std::move(bytes));
    return say(frame);
  }
  result<void> started(RequestId id) {
    wire::GuestFrame frame;
    frame.set_id(id);
    frame.mutable_started()->set_pid(100);
    return say(frame);
  }
  result<void> credit(RequestId id, std::uint64_t amount) {
    wire::GuestFrame frame;
    frame.set_id(id);
    frame.mutable_credit()->set_amount(amount);
    return say(frame);
  }
  result<void> done(RequestId id) {
    wire::GuestFrame frame;
    frame.set_id(id);
    frame.mutable_done();
    return say(frame);
  }
  result<void> fail(RequestId id, wire::Error::Kind kind, int guest_errno = 0) {
    wire::GuestFrame frame;
    frame.set_id(id);
    frame.mutable_error()->set_kind(kind);
    frame.mutable_error()->set_guest_errno(guest_errno);
    frame.mutable_error()->set_message("no\nway");
    return say(frame);
  }

  std::vector<wire::HostFrame> sent;
  std::optional<AgentVersion> version;
  FrameSplitter splitter;
  Session session{*this};
};

template <class T>
Callback<T> keep(std::optional<result<T>>& into) {
  return [&into](result<T> got) {
    BOOST_TEST(!into.has_value());  // once
    into = std::move(got);
  };
}

inline ExecSpec cat() {
  auto spec = ExecSpec::command({"cat"});
  spec.stdin_open = true;
  return spec;
}

}  // namespace capsa::agent::test
