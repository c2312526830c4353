#include <future>
#include <stdexcept>

#include "link_fixture.hpp"

using namespace capsa;
using namespace capsa::agent_link::test;
using namespace std::chrono_literals;
using actors::exec_atom_v;
using actors::ping_atom_v;
using actors::read_atom_v;
using actors::ready_atom_v;
using actors::start_atom_v;
using actors::StartedProcess;
using actors::wait_atom_v;

namespace {

/// A process that has started, whose standard output goes to `sink`.
StartedProcess start(Fixture& guest, ConnectionId connection, actors::Sink sink) {
  const auto started =
      guest.ask<StartedProcess>(start_atom_v, ExecSpec::command({"p"}), OutputHandlers{sink, {}});
  auto frame = guest.reply(connection);
  frame.mutable_started()->set_pid(7);
  guest.say(connection, frame);
  BOOST_REQUIRE(started->has_value());
  return ***started;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(agent_link)

BOOST_AUTO_TEST_CASE(requests_wait_for_the_first_session_without_looking_for_it) {
  Fixture guest;
  const auto ready = guest.ask<void>(ready_atom_v);
  const auto ping = guest.ask<void>(ping_atom_v);
  guest.pass(1h);
  BOOST_TEST(!ready->has_value());
  BOOST_TEST(guest.connects == 0);
  const auto connection = guest.begin();
  BOOST_TEST(ready->value().ok());
  BOOST_TEST(guest.ready == 1);
  auto pong = guest.reply(connection);
  pong.mutable_done();
  guest.say(connection, pong);
  BOOST_TEST(ping->value().ok());
}

BOOST_AUTO_TEST_CASE(an_agent_that_is_gone_is_looked_for_and_then_given_up_on) {
  Fixture guest;
  const auto connection = guest.begin();
  const auto running = guest.ask<ExecResult>(exec_atom_v, ExecSpec::command({"p"}));
  guest.close(connection);
  BOOST_TEST((code(running) == ErrorCode::ConnectionClosed));
  BOOST_TEST(guest.lost == 1);
  BOOST_TEST(guest.connects == 0);  // not without a pause
  std::vector<Answer<ExecResult>> queued;
  for (int i = 0; i < 10; ++i)
    queued.push_back(guest.ask<ExecResult>(exec_atom_v, ExecSpec::command({"p"})));
  const auto ready = guest.ask<void>(ready_atom_v);
  for (int i = 0; i < 40; ++i)
    guest.pass(100ms);
  for (const auto& one : queued)
    BOOST_TEST((code(one) == ErrorCode::AgentUnavailable));
  BOOST_TEST((code(ready) == ErrorCode::AgentUnavailable));
  BOOST_TEST(guest.connects == 5);

  // Whoever needs it later starts anew.
  guest.listens = true;
  const auto late = guest.ask<void>(ready_atom_v);
  guest.pass(100ms);
  BOOST_TEST(guest.connects == 6);
  guest.hello(guest.taken);
  BOOST_TEST(late->value().ok());
}

BOOST_AUTO_TEST_CASE(one_connect_is_under_way_at_a_time) {
  Fixture guest;
  guest.close(guest.begin());
  guest.slow = true;
  for (int i = 0; i < 10; ++i) {
    guest.ask<void>(ping_atom_v);
    guest.pass(1s);
  }
  BOOST_TEST(guest.connecting == 1);
}

BOOST_AUTO_TEST_CASE(a_guest_that_drops_sessions_is_not_asked_for_ever) {
  Fixture guest;
  guest.listens = true;
  auto connection = guest.begin();
  for (int i = 0; i < 20; ++i) {
    guest.close(connection);
    guest.pass(4s);
    connection = guest.taken;
    guest.hello(connection);
  }
  BOOST_TEST(guest.connects == 5);
}

BOOST_AUTO_TEST_CASE(another_version_is_told_to_whoever_waits_now_and_later) {
  Fixture guest;
  guest.listens = true;
  const auto ready = guest.ask<void>(ready_atom_v);
  const auto ping = guest.ask<void>(ping_atom_v);
  const auto connection = guest.connect();
  guest.hello(connection, agent::kProtocolMajor + 1);
  BOOST_TEST((code(ready) == ErrorCode::AgentProtocol));
  BOOST_TEST((code(ping) == ErrorCode::AgentProtocol));
  BOOST_TEST(!ready->value().error().hint().empty());
  BOOST_TEST(guest.resets == std::vector{connection}, boost::test_tools::per_element());

  const auto late = guest.ask<void>(ready_atom_v);
  guest.pass(100ms);
  BOOST_TEST(guest.connects == 1);
  guest.hello(guest.taken, agent::kProtocolMajor + 1);
  BOOST_TEST((code(late) == ErrorCode::AgentProtocol));
}

BOOST_AUTO_TEST_CASE(a_session_is_made_anew_after_a_violation) {
  Fixture guest;
  guest.listens = true;
  const auto connection = guest.begin();
  const auto ping = guest.ask<void>(ping_atom_v);
  guest.hello(connection);  // a second one
  BOOST_TEST((code(ping) == ErrorCode::AgentProtocol));
  guest.pass(100ms);
  guest.hello(guest.taken);
  BOOST_TEST(guest.ready == 2);
}

BOOST_AUTO_TEST_CASE(any_process_of_the_guest_may_connect_and_is_not_the_agent) {
  Fixture guest;
  const auto real = guest.begin();
  guest.pass(1min);
  const auto impostor = guest.connect(1024);
  BOOST_TEST(guest.resets == std::vector{impostor}, boost::test_tools::per_element());
  guest.hello(impostor);
  BOOST_TEST(guest.ready == 1);
  BOOST_TEST(guest.lost == 0);
  const auto ping = guest.ask<void>(ping_atom_v);
  BOOST_TEST(guest.request(real).has_ping());
  BOOST_TEST(!ping->has_value());
}

BOOST_AUTO_TEST_CASE(an_agent_without_a_port_of_its_own_is_called_back) {
  Fixture guest;
  guest.listens = true;
  const auto ready = guest.ask<void>(ready_atom_v);
  guest.connect(70'000);
  guest.pass(100ms);
  guest.hello(guest.taken);
  BOOST_TEST(ready->value().ok());
}

BOOST_AUTO_TEST_CASE(a_session_is_replaced_but_not_at_once) {
  Fixture guest;
  const auto first = guest.begin();
  guest.pass(500ms);
  const auto hasty = guest.connect();
  BOOST_TEST(guest.resets == std::vector{hasty}, boost::test_tools::per_element());
  guest.pass(500ms);
  guest.begin();
  BOOST_TEST(guest.resets.back() == first);
  BOOST_TEST(guest.ready == 2);
  BOOST_TEST(guest.lost == 1);
}

BOOST_AUTO_TEST_CASE(a_function_that_throws_holds_up_nobody) {
  Fixture guest;
  const auto connection = guest.begin();
  const auto process =
      start(guest, connection, [](std::string_view) { throw std::runtime_error("no"); });
  send_output(guest, connection, "bytes");
  const auto end = guest.ask<ExitStatus>(wait_atom_v, process.id);
  send_status(guest, connection, guest.reply(connection).id(), 3);
  guest.wait_for(end);
  BOOST_TEST(end->value()->code == 3);

  const auto size = guest.ask<std::uint64_t>(read_atom_v, std::string("/f"),
                                             actors::Sink([](std::string_view) { throw 1; }));
  send_output(guest, connection, "content");
  auto done = guest.reply(connection);
  done.mutable_done();
  guest.say(connection, done);
  guest.wait_for(size);
  BOOST_TEST(*size->value() == 7U);
}

BOOST_AUTO_TEST_CASE(a_whole_file_is_read_while_the_callback_thread_waits) {
  Fixture guest;
  const auto connection = guest.begin();
  std::promise<void> release;
  guest.callbacks.post([waits = release.get_future().share()] { waits.wait(); });
  const auto content = guest.ask<std::string>(read_atom_v, std::string("/f"));
  send_output(guest, connection, "one ");
  auto frame = guest.reply(connection);
  frame.mutable_data()->set_stream(agent::wire::STREAM_OUTPUT);
  frame.mutable_data()->set_bytes("two");
  guest.say(connection, frame);
  frame.mutable_done();
  guest.say(connection, frame);
  release.set_value();
  BOOST_TEST(*content->value() == "one two");
}

BOOST_AUTO_TEST_CASE(everybody_is_answered_at_the_end) {
  Fixture guest;
  const auto connection = guest.begin();
  std::promise<void> release;
  const auto held = [waits = release.get_future().share()](std::string_view) { waits.wait(); };
  const auto process = start(guest, connection, held);
  const auto of_process = guest.reply(connection).id();
  send_output(guest, connection, "bytes");
  send_status(guest, connection, of_process, 0);
  const auto end = guest.ask<ExitStatus>(wait_atom_v, process.id);
  const auto size = guest.ask<std::uint64_t>(read_atom_v, std::string("/f"), actors::Sink(held));
  send_output(guest, connection, "content");
  auto done = guest.reply(connection);
  done.mutable_done();
  guest.say(connection, done);
  const auto ping = guest.ask<void>(ping_atom_v);
  guest.close(connection);
  BOOST_TEST((code(ping) == ErrorCode::ConnectionClosed));
  const auto queued = guest.ask<std::string>(read_atom_v, std::string("/f"));
  const auto starting =
      guest.ask<StartedProcess>(start_atom_v, ExecSpec::command({"p"}), OutputHandlers());
  const auto ready = guest.ask<void>(ready_atom_v);
  BOOST_TEST(!end->has_value());
  BOOST_TEST(!size->has_value());
  guest.end();
  BOOST_TEST((code(end) == ErrorCode::VmEnded));
  BOOST_TEST((code(size) == ErrorCode::VmEnded));
  BOOST_TEST((code(queued) == ErrorCode::VmEnded));
  BOOST_TEST((code(starting) == ErrorCode::VmEnded));
  BOOST_TEST((code(ready) == ErrorCode::VmEnded));
  release.set_value();
}

BOOST_AUTO_TEST_CASE(how_a_process_ended_is_known_after_the_link) {
  Fixture guest;
  const auto connection = guest.begin();
  const auto process = start(guest, connection, {});
  BOOST_TEST(!guest.ends->find(guest.id, process.id));
  send_status(guest, connection, guest.reply(connection).id(), 42);
  const auto other = start(guest, connection, {});
  guest.end();
  const auto end = guest.ends->find(guest.id, process.id);
  BOOST_TEST_REQUIRE(end.has_value());
  BOOST_TEST((*end)->code == 42);
  const auto lost = guest.ends->find(guest.id, other.id);
  BOOST_TEST_REQUIRE((lost && !lost->ok()));
  BOOST_TEST((lost->error().code() == ErrorCode::VmEnded));
  BOOST_TEST(!guest.ends->find(guest.id + 1, process.id));
}

BOOST_AUTO_TEST_SUITE_END()
