#include <boost/test/unit_test.hpp>

#include "front_end.hpp"

using namespace capsa;
using test::operator+;
using test::Bytes;
using test::bytes_of;
using test::Conversation;
using test::message;
using test::vring;
using vhost_user::Request;

namespace {

/// The conversation that starts a device, as one stream with its descriptors by position.
struct Script {
  Bytes bytes;
  std::map<std::size_t, int> fds;

  void add(Request request, const Bytes& payload, int fd = -1) {
    if (fd >= 0) fds[bytes.size()] = fd;
    bytes = bytes + message(request, payload);
  }
};

Script start_script(const Conversation& talk) {
  Script script;
  script.add(Request::SetFeatures, bytes_of(talk.features()));
  script.add(Request::SetMemTable, mem_table(talk.driver), talk.driver.memory_fd());
  for (std::uint32_t i = 0; i < 2; ++i) {
    script.add(Request::SetVringNum, vring(i, 16));
    script.add(Request::SetVringAddr, vring_addr(talk.driver, i));
    script.add(Request::SetVringKick, bytes_of(std::uint64_t{i}), talk.kick.get());
    script.add(Request::SetVringCall, bytes_of(std::uint64_t{i}), talk.call.get());
    script.add(Request::SetVringEnable, vring(i, 1));
  }
  return script;
}

/// Feeds [from, to) of a script, cut where descriptors arrive, as the kernel does.
void feed(Conversation& talk, const Script& script, std::size_t from, std::size_t to) {
  while (from < to) {
    std::vector<UniqueFd> fds;
    if (const auto here = script.fds.find(from); here != script.fds.end()) {
      fds.push_back(test::duplicate(here->second));
    }
    const auto next = script.fds.upper_bound(from);
    const std::size_t end = next == script.fds.end() ? to : std::min(to, next->first);
    talk.session.feed(std::span(script.bytes).subspan(from, end - from), std::move(fds));
    from = end;
  }
}

}  // namespace

BOOST_AUTO_TEST_SUITE(session)

BOOST_AUTO_TEST_CASE(the_stream_may_be_cut_anywhere) {
  const std::size_t length = [] {
    const Conversation talk;
    return start_script(talk).bytes.size();
  }();
  for (std::size_t cut = 0; cut <= length; ++cut) {
    Conversation talk;
    const Script script = start_script(talk);
    feed(talk, script, 0, cut);
    feed(talk, script, cut, length);
    if (talk.host.failure) BOOST_FAIL("cut at " << cut << ": " << talk.host.failure->what());
    BOOST_TEST(talk.device.activations == 1);
    BOOST_TEST(talk.echo(1, "hello") == "hello");
  }
}

BOOST_AUTO_TEST_CASE(the_stream_may_come_byte_by_byte) {
  Conversation talk;
  const Script script = start_script(talk);
  for (std::size_t i = 0; i < script.bytes.size(); ++i)
    feed(talk, script, i, i + 1);
  BOOST_TEST(talk.device.activations == 1);
  BOOST_TEST(talk.echo(0, "hello") == "hello");
}

BOOST_AUTO_TEST_CASE(many_messages_may_come_in_one_piece) {
  Conversation talk;
  Bytes all;
  for (int i = 0; i < 100; ++i)
    all = all + message(Request::GetQueueNum);
  talk.session.feed(all);
  BOOST_TEST(talk.host.sent.size() == 100U * 20);
}

BOOST_AUTO_TEST_CASE(no_message_is_handled_while_the_device_comes_to_rest) {
  Conversation talk;
  talk.start();
  talk.device.slow = true;
  BOOST_TEST(talk.session.wants() == 12U);
  talk.session.feed(message(Request::GetVringBase, vring(0, 0)) + message(Request::GetQueueNum));
  BOOST_TEST(talk.session.wants() == 0U);
  BOOST_TEST(!talk.host.input_wanted);
  BOOST_TEST(talk.host.sent.empty());
  talk.device.finish_rest();
  BOOST_TEST(talk.host.input_wanted);
  BOOST_TEST(talk.host.sent.size() == 40U);
  BOOST_TEST((Conversation::payload_of({talk.host.sent.begin(), talk.host.sent.begin() + 20},
                                       Request::GetVringBase) == vring(0, 0)));
  BOOST_TEST(talk.session.wants() == 12U);
}

BOOST_AUTO_TEST_CASE(a_peer_that_talks_on_without_waiting_is_cut_off) {
  Conversation talk;
  talk.start();
  talk.device.slow = true;
  talk.say(Request::GetVringBase, vring(0, 0));
  const Bytes many(4096);
  for (int i = 0; i < 17 && !talk.host.failure; ++i)
    talk.session.feed(many);
  BOOST_TEST(talk.host.failure.has_value());
  talk.device.finish_rest();
  BOOST_TEST(!talk.session.running());
  BOOST_TEST(talk.host.sent.empty());
}

BOOST_AUTO_TEST_CASE(nothing_is_taken_after_a_failure) {
  Conversation talk;
  talk.say(static_cast<Request>(99));
  BOOST_REQUIRE(talk.host.failure.has_value());
  talk.host.failure.reset();
  talk.say(static_cast<Request>(99));
  BOOST_TEST(talk.ask(Request::GetFeatures).empty());
  BOOST_TEST(!talk.host.failure.has_value());
  BOOST_TEST(talk.session.wants() == 0U);
}

BOOST_AUTO_TEST_CASE(closing_waits_until_the_device_is_at_rest) {
  Conversation talk;
  talk.start();
  talk.device.slow = true;
  bool closed = false;
  talk.session.close([&] { closed = true; });
  BOOST_TEST(talk.host.kicks.empty());
  BOOST_TEST(!closed);
  talk.device.finish_rest();
  BOOST_TEST(closed);
  BOOST_TEST(talk.device.activations == 1);
}

BOOST_AUTO_TEST_CASE(closing_while_the_device_comes_to_rest_drops_what_waited_for_it) {
  Conversation talk;
  talk.start();
  talk.device.slow = true;
  talk.say(Request::GetVringBase, vring(0, 0));
  bool closed = false;
  talk.session.close([&] { closed = true; });
  talk.device.finish_rest();
  // It was suspended for the message; that it is over is another matter.
  BOOST_TEST(!closed);
  talk.device.finish_rest();
  BOOST_TEST(closed);
  BOOST_TEST(talk.device.suspensions == 1);
  BOOST_TEST(talk.device.resets == 1);
  BOOST_TEST(talk.host.sent.empty());
}

BOOST_AUTO_TEST_CASE(an_idle_session_closes_at_once) {
  Conversation talk;
  bool closed = false;
  talk.session.close([&] { closed = true; });
  BOOST_TEST(closed);
}

BOOST_AUTO_TEST_CASE(a_session_may_be_destroyed_while_its_device_comes_to_rest) {
  test::FakeDriver driver({16, 16, 16});
  test::EchoDevice device;
  for (const bool asked : {false, true}) {
    device.slow = false;
    {
      test::RecordingHost host;
      const auto kick = test::make_eventfd();
      auto session = std::make_unique<vhost_user::Session>(device, host);
      const auto say = [&](Request request, const Bytes& payload, int fd = -1) {
        std::vector<UniqueFd> fds;
        if (fd >= 0) fds.push_back(test::duplicate(fd));
        session->feed(message(request, payload), std::move(fds));
      };
      say(Request::SetFeatures, bytes_of(driver.queue_features()));
      say(Request::SetMemTable, test::mem_table(driver), driver.memory_fd());
      for (std::uint32_t i = 0; i < 2; ++i) {
        say(Request::SetVringNum, vring(i, 16));
        say(Request::SetVringAddr, test::vring_addr(driver, i));
        say(Request::SetVringKick, bytes_of(std::uint64_t{i}), kick.get());
      }
      BOOST_REQUIRE(session->running());
      device.slow = true;
      if (asked) say(Request::GetVringBase, vring(0, 0));
      session.reset();
      BOOST_TEST(host.kicks.empty());
    }
    // What the device still has of it is valid until it says that it is done.
    BOOST_TEST(device.active->queues.size() == 2U);
    device.process(1);
    device.active->interrupt->signal(1);
    while (device.pending_rest)
      device.finish_rest();
    BOOST_TEST(std::exchange(device.resets, 0) == 1);
  }
}

BOOST_AUTO_TEST_SUITE_END()
