#include <agent/tree/tree_source.hpp>

#include "link_fixture.hpp"
#include "tree_kit.hpp"

using namespace capsa;
using namespace capsa::agent_link::test;
using namespace std::chrono_literals;
using actors::copy_from_atom_v;
using actors::copy_to_atom_v;
using agent::test::all_below;
using agent::test::contents;
using agent::test::make_sample;
using agent::test::put;
using agent::test::Records;
using agent::test::ScratchDir;

namespace {

using Stats = Answer<CopyStats>;

Stats copy_from(Fixture& guest, const std::string& host_path, CopyOptions options = {}) {
  return guest.ask<CopyStats>(copy_from_atom_v, std::string("/tree"), host_path, options);
}

Stats copy_to(Fixture& guest, const std::string& host_path, CopyOptions options = {}) {
  return guest.ask<CopyStats>(copy_to_atom_v, host_path, std::string("/tree"), options);
}

void done(Fixture& guest, ConnectionId connection, std::uint64_t request) {
  agent::wire::GuestFrame frame;
  frame.set_id(request);
  frame.mutable_done();
  guest.say(connection, frame);
}

void credit(Fixture& guest, ConnectionId connection, std::uint64_t request, std::uint64_t amount) {
  agent::wire::GuestFrame frame;
  frame.set_id(request);
  frame.mutable_credit()->set_stream(agent::wire::STREAM_INPUT);
  frame.mutable_credit()->set_amount(amount);
  guest.say(connection, frame);
}

/// What the host has sent as content, and whether it has said that this is all.
std::pair<std::string, bool> content(Fixture& guest, ConnectionId connection) {
  std::pair<std::string, bool> out;
  agent::FrameSplitter splitter;
  auto rest = agent::as_bytes(guest.sent[connection]);
  std::span<const std::byte> bytes;
  agent::wire::HostFrame frame;
  while (splitter.take(rest, bytes) == agent::FrameSplitter::Step::Frame) {
    BOOST_REQUIRE(agent::parse_frame(bytes, frame));
    if (frame.has_data()) out.first += frame.data().bytes();
    if (frame.has_eof()) out.second = true;
  }
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(agent_link_copies)

BOOST_AUTO_TEST_CASE(a_tree_goes_to_the_guest_as_fast_as_it_has_room) {
  ScratchDir dir;
  make_sample(dir / "from");
  put(dir / "from/big", std::string(500'000, 'b'));
  Fixture guest;
  const auto connection = guest.begin();
  const auto copied = copy_to(guest, dir / "from");
  const auto request = guest.request(connection);
  BOOST_TEST(request.write_tree().path() == "/tree");
  BOOST_TEST(content(guest, connection).first.empty());
  std::size_t given = 0;
  while (!content(guest, connection).second) {
    BOOST_REQUIRE(given < 20);
    credit(guest, connection, request.id(), 100'000);
    ++given;
    BOOST_TEST(content(guest, connection).first.size() <= given * 100'000);
  }
  agent::TreeSink sink(dir / "to");
  BOOST_REQUIRE(!agent::test::write_all(sink, content(guest, connection).first));
  BOOST_TEST((all_below(dir / "to") == all_below(dir / "from")));
  BOOST_TEST(!copied->has_value());
  done(guest, connection, request.id());
  BOOST_TEST((copied->value().value() == sink.stats()));
}

BOOST_AUTO_TEST_CASE(what_the_host_cannot_read_ends_the_copy_in_the_guest_too) {
  ScratchDir dir;
  Fixture guest;
  const auto connection = guest.begin();
  const auto copied = copy_to(guest, dir / "no");
  BOOST_TEST((code(copied) == ErrorCode::NotFound));
  BOOST_TEST(copied->value().error().message().find(dir / "no") != std::string::npos);
  BOOST_TEST(guest.request(connection).has_cancel());
  BOOST_TEST((code(copy_to(guest, "")) == ErrorCode::InvalidConfig));
}

BOOST_AUTO_TEST_CASE(a_tree_comes_from_the_guest_byte_by_byte) {
  ScratchDir dir;
  make_sample(dir / "from");
  agent::TreeSource source(dir / "from", false);
  std::string bytes;
  BOOST_REQUIRE(!agent::test::read_all(source, bytes));
  Fixture guest;
  const auto connection = guest.begin();
  CopyOptions options;
  options.skip_special = true;
  const auto copied = copy_from(guest, dir / "to", options);
  const auto request = guest.request(connection);
  BOOST_TEST(request.read_tree().skip_special());
  const auto say = [&](std::string piece) {
    agent::wire::GuestFrame frame;
    frame.set_id(request.id());
    frame.mutable_data()->set_stream(agent::wire::STREAM_OUTPUT);
    frame.mutable_data()->set_bytes(std::move(piece));
    guest.say(connection, frame);
  };
  for (std::size_t at = 0; at < 50; ++at)
    say(bytes.substr(at, 1));
  say(bytes.substr(50));
  BOOST_TEST(!copied->has_value());
  done(guest, connection, request.id());
  BOOST_TEST((copied->value().value() == source.stats()));
  BOOST_TEST((all_below(dir / "to") == all_below(dir / "from")));
}

BOOST_AUTO_TEST_CASE(a_guest_that_sends_no_tree_is_told_to_stop) {
  ScratchDir dir;
  Fixture guest;
  const auto connection = guest.begin();
  const auto copied = copy_from(guest, dir / "to");
  send_output(guest, connection, Records().directory("").file("../x").bytes);
  BOOST_TEST((code(copied) == ErrorCode::AgentProtocol));
  BOOST_TEST(guest.request(connection).has_cancel());
  BOOST_TEST(guest.resets.empty());  // the session goes on
  BOOST_TEST(!std::filesystem::exists(dir / "x"));

  const auto short_one = copy_from(guest, dir / "short");
  const auto request = guest.request(connection).id();
  send_output(guest, connection, Records().directory("").bytes);
  done(guest, connection, request);
  BOOST_TEST((code(short_one) == ErrorCode::AgentProtocol));
}

BOOST_AUTO_TEST_CASE(a_guest_cannot_fill_the_host) {
  ScratchDir dir;
  Fixture guest;
  const auto connection = guest.begin();
  CopyOptions options;
  options.max_bytes = 10;
  const auto copied = copy_from(guest, dir / "to", options);
  send_output(guest, connection,
              Records().directory("").file("f").content(std::string(11, 'x')).bytes);
  BOOST_TEST((code(copied) == ErrorCode::ResourceExhausted));
  BOOST_TEST(copied->value().error().message().find(dir / "to/f") != std::string::npos);
  BOOST_TEST(all_below(dir / "to").size() == 1U);  // nothing of the file is left
}

BOOST_AUTO_TEST_CASE(copies_end_with_their_connection_and_with_the_vm) {
  ScratchDir dir;
  make_sample(dir / "from");
  Fixture guest;
  const auto connection = guest.begin();
  const auto to = copy_to(guest, dir / "from");
  const auto from = copy_from(guest, dir / "to");
  send_output(guest, connection, Records().directory("").file("f").content("half").bytes);
  guest.close(connection);
  BOOST_TEST((code(to) == ErrorCode::ConnectionClosed));
  BOOST_TEST((code(from) == ErrorCode::ConnectionClosed));
  BOOST_TEST(all_below(dir / "to").size() == 1U);
  const auto waiting = copy_to(guest, dir / "from");
  BOOST_TEST(!waiting->has_value());
  guest.end();
  BOOST_TEST((code(waiting) == ErrorCode::VmEnded));
}

BOOST_AUTO_TEST_SUITE_END()
