#include "link_fixture.hpp"

using namespace capsa;
using namespace capsa::agent_link::test;
using namespace std::chrono_literals;
using actors::close_atom_v;
using actors::open_atom_v;
using actors::read_atom_v;
using actors::StartedProcess;
using actors::wait_atom_v;

namespace {

constexpr caf::timespan kForever = caf::timespan::max();

/// A process that has started and whose output is read.
struct Opened {
  explicit Opened(Fixture& fixture, const ExecSpec& spec = ExecSpec::command({"p"}))
      : guest(fixture), connection(guest.begin()) {
    const auto answer = guest.ask<StartedProcess>(open_atom_v, spec);
    auto frame = guest.reply(connection);
    request = frame.id();
    frame.mutable_started()->set_pid(7);
    guest.say(connection, frame);
    BOOST_REQUIRE(answer->has_value());
    id = answer->value()->id;
  }
  Answer<std::string> read(std::uint32_t stream = 0, caf::timespan timeout = kForever) {
    return guest.ask<std::string>(read_atom_v, id, stream, timeout);
  }
  void write(std::string bytes, agent::wire::Stream stream = agent::wire::STREAM_OUTPUT) {
    agent::wire::GuestFrame frame;
    frame.set_id(request);
    frame.mutable_data()->set_stream(stream);
    frame.mutable_data()->set_bytes(std::move(bytes));
    guest.say(connection, frame);
  }
  /// The credit of the last frame that the host has sent; 0 where it is another one.
  std::uint64_t credit() {
    const auto frame = guest.request(connection);
    return frame.has_credit() ? frame.credit().amount() : 0;
  }

  Fixture& guest;
  ConnectionId connection;
  std::uint64_t request = 0;
  std::uint64_t id = 0;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(agent_link_streams)

BOOST_AUTO_TEST_CASE(output_waits_for_its_reader_and_only_then_more_may_come) {
  Fixture guest;
  Opened process(guest);
  process.write("one ");
  process.write("two");
  process.write("error", agent::wire::STREAM_ERROR);
  BOOST_TEST(process.credit() == 0U);
  BOOST_TEST(process.read()->value().value() == "one two");
  BOOST_TEST(process.credit() == 7U);
  BOOST_TEST(process.read(1)->value().value() == "error");

  const auto first = process.read();
  const auto second = process.read();
  BOOST_TEST(!first->has_value());
  process.write("three");
  BOOST_TEST(first->value().value() == "three");
  BOOST_TEST(!second->has_value());
  send_status(guest, process.connection, process.request, 0);
  BOOST_TEST(second->value().value().empty());  // the end
}

BOOST_AUTO_TEST_CASE(the_end_is_told_without_the_reader_and_leaves_it_what_there_is) {
  Fixture guest;
  Opened process(guest);
  process.write("last words");
  const auto end = guest.ask<ExitStatus>(wait_atom_v, process.id);
  send_status(guest, process.connection, process.request, 3);
  BOOST_TEST(end->value()->code == 3);
  BOOST_TEST(process.read()->value().value() == "last words");
  BOOST_TEST(process.read()->value().value().empty());
  BOOST_TEST(process.read(1)->value().value().empty());
}

BOOST_AUTO_TEST_CASE(who_has_given_up_gets_nothing_of_what_comes) {
  Fixture guest;
  Opened process(guest);
  const auto look = process.read(0, 0ms);
  BOOST_TEST((code(look) == ErrorCode::Timeout));
  const auto late = process.read(0, 1s);
  guest.pass(1s);
  BOOST_TEST((code(late) == ErrorCode::Timeout));
  process.write("bytes");
  BOOST_TEST(process.read(0, 0ms)->value().value() == "bytes");
}

BOOST_AUTO_TEST_CASE(a_stream_whose_reader_has_gone_is_discarded) {
  Fixture guest;
  Opened process(guest);
  process.write("kept");
  const auto closed = guest.ask<void>(close_atom_v, process.id, std::uint32_t{0});
  BOOST_TEST(closed->value().ok());
  BOOST_TEST(process.credit() == 4U);
  process.write("dropped");
  BOOST_TEST(process.credit() == 7U);
  BOOST_TEST((code(process.read()) == ErrorCode::NotFound));
}

BOOST_AUTO_TEST_CASE(a_terminal_has_no_stream_of_errors) {
  Fixture guest;
  ExecSpec spec = ExecSpec::command({"p"});
  spec.pty = PtySize{};
  Opened process(guest, spec);
  BOOST_TEST(process.read(1)->value().value().empty());
}

BOOST_AUTO_TEST_CASE(a_broken_connection_is_told_behind_what_has_come) {
  Fixture guest;
  Opened process(guest);
  process.write("before");
  guest.close(process.connection);
  BOOST_TEST(process.read()->value().value() == "before");
  BOOST_TEST((code(process.read()) == ErrorCode::ConnectionClosed));
}

BOOST_AUTO_TEST_CASE(a_program_that_does_not_start_leaves_nothing_to_read) {
  Fixture guest;
  const auto connection = guest.begin();
  const auto opened = guest.ask<StartedProcess>(open_atom_v, ExecSpec::command({"p"}));
  auto frame = guest.reply(connection);
  frame.mutable_error()->set_guest_errno(2);
  guest.say(connection, frame);
  BOOST_TEST((code(opened) == ErrorCode::GuestError));
  const auto read =
      guest.ask<std::string>(read_atom_v, std::uint64_t{1}, std::uint32_t{0}, kForever);
  BOOST_TEST((code(read) == ErrorCode::NotFound));
}

BOOST_AUTO_TEST_CASE(readers_are_answered_at_the_end_of_the_vm) {
  Fixture guest;
  Opened process(guest);
  const auto read = process.read();
  guest.end();
  BOOST_TEST((code(read) == ErrorCode::ConnectionClosed || code(read) == ErrorCode::VmEnded));
}

BOOST_AUTO_TEST_SUITE_END()
