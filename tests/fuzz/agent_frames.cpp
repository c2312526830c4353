// Both ends of the agent protocol, each against a hostile peer. The first byte chooses the end, the
// second how the rest is cut; however that is, what the end does must be the same.
#include <agent/guest/server_session.hpp>
#include <agent/host/session.hpp>
#include <agent/host/whole_file.hpp>
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <functional>
#include <map>

namespace {

using namespace capsa::agent;

void require(bool holds) {
  if (!holds) std::abort();
}

template <class Feed>
void feed_in_pieces(std::span<const std::byte> bytes, std::size_t piece, Feed feed) {
  while (!bytes.empty()) {
    const auto part = bytes.first(std::min(piece, bytes.size()));
    bytes = bytes.subspan(part.size());
    if (!feed(part)) return;
  }
}

// -- the host's end: every kind of request is on its way

struct HostOutcome {
  std::size_t sent = 0;
  std::size_t delivered = 0;
  std::size_t answers = 0;
  bool ended = false;
  bool operator==(const HostOutcome&) const = default;
};

struct HostEnd final : SessionOutput {
  void send(std::span<const std::byte> bytes) override { outcome.sent += bytes.size(); }
  void on_ready(const capsa::AgentVersion& version) override {
    require(version.major == kProtocolMajor);
  }

  template <class T>
  Callback<T> count() {
    ++asked;
    return [this](capsa::result<T>) { ++outcome.answers; };
  }
  BytesCallback take(RequestId& id, Stream stream) {
    return [this, &id, stream](std::span<const std::byte> bytes) {
      outcome.delivered += bytes.size();
      // Half of it, so that credit runs out some time.
      session.grant(id, stream, bytes.size() / 2);
    };
  }

  void ask_everything() {
    session.start({});
    session.ping(count<void>());
    session.info(count<capsa::GuestInfo>());
    session.exists("/a", count<bool>());
    session.stat("/a", false, count<capsa::FileStat>());
    session.list_dir("/a", count<std::vector<capsa::DirEntry>>());
    auto spec = capsa::ExecSpec::command({"cat"});
    spec.stdin_open = true;
    ExecEvents events;
    events.stdout_data = take(exec, Stream::Output);
    events.stderr_data = take(exec, Stream::Error);
    events.stdin_room = [this](std::size_t) { session.stdin_write(exec, as_bytes("input")); };
    events.done = count<capsa::ExitStatus>();
    exec = session.exec(spec, std::move(events), {64, 64});
    read_whole_file(session, "/a", 100, count<std::vector<std::byte>>());
    write_whole_file(session, "/a", {}, std::vector<std::byte>(200), count<void>());
    session.cancel(session.ping(count<void>()));
  }

  HostOutcome outcome;
  std::size_t asked = 0;
  RequestId exec = 0;
  Session session{*this};
};

HostOutcome host_end(std::span<const std::byte> bytes, std::size_t piece) {
  HostEnd host;
  host.ask_everything();
  feed_in_pieces(bytes, piece, [&](auto part) { return host.session.feed(part).ok(); });
  host.outcome.ended = host.session.ended();
  host.session.fail_all(capsa::error(capsa::ErrorCode::ConnectionClosed, {}));
  require(host.outcome.answers == host.asked);  // every one, once
  return host.outcome;
}

// -- the guest's end: tasks that do nothing but count

class StillLoop final : public capsa::Loop {
 public:
  void watch(int, std::uint32_t, ReadyCallback) override {}
  void rearm(int, std::uint32_t) override {}
  void unwatch(int) override {}
  TimerId call_after(std::chrono::nanoseconds, Callback callback) override {
    due_[++last_] = std::move(callback);
    return last_;
  }
  void cancel(TimerId timer) override { due_.erase(timer); }
  void post(Callback callback) override { call_after({}, std::move(callback)); }
  std::chrono::steady_clock::time_point now() const override { return {}; }
  void run() {
    while (!due_.empty())
      due_.extract(due_.begin()).mapped()();
  }

 private:
  TimerId last_ = 0;
  std::map<TimerId, Callback> due_;
};

struct GuestOutcome {
  std::size_t begun = 0;
  std::size_t taken = 0;
  std::size_t written = 0;
  bool closed = false;
  bool operator==(const GuestOutcome&) const = default;
};

class CountingTask final : public guest::Task {
 public:
  CountingTask(guest::Reply reply, GuestOutcome& outcome) : reply_(reply), outcome_(outcome) {}
  bool on_data(wire::Stream stream, const std::string& bytes) override {
    outcome_.taken += bytes.size();
    return stream == wire::STREAM_INPUT;
  }
  bool on_eof(wire::Stream) override {
    reply_.done();
    return true;
  }
  void on_signal(int number) override { reply_.fail(number & 0xff, "signalled"); }

 private:
  guest::Reply reply_;
  GuestOutcome& outcome_;
};

struct GuestEnd final : guest::Services, guest::Outbox {
  void hello(const wire::Hello& hello) override { require(hello.major() == kProtocolMajor); }
  std::unique_ptr<guest::Task> begin(guest::Reply reply, const wire::HostFrame& frame,
                                     bool) override {
    ++outcome.begun;
    if (!frame.has_exec() && !frame.has_write_file()) {
      reply.done();
      return nullptr;
    }
    return std::make_unique<CountingTask>(reply, outcome);
  }
  void write(std::string_view bytes) override { outcome.written += bytes.size(); }
  std::size_t queued() const override { return 0; }

  GuestOutcome outcome;
  StillLoop loop;
  guest::ServerSession session{loop, *this, *this};
};

GuestOutcome guest_end(std::span<const std::byte> bytes, std::size_t piece) {
  GuestEnd end;
  end.session.start();
  feed_in_pieces(bytes, piece, [&](auto part) {
    end.outcome.closed = !end.session.feed(part);
    end.loop.run();
    return !end.outcome.closed;
  });
  end.session.on_room();
  return end.outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const auto bytes = std::as_bytes(std::span(data + 2, size - 2));
  const std::size_t piece = std::size_t{data[1]} + 1;
  if (data[0] % 2 == 0)
    require(host_end(bytes, bytes.size() + 1) == host_end(bytes, piece));
  else
    require(guest_end(bytes, bytes.size() + 1) == guest_end(bytes, piece));
  return 0;
}
