#include <boost/test/unit_test.hpp>

#include "front_end.hpp"

using namespace capsa;
using test::operator+;
using test::Bytes;
using test::bytes_of;
using test::Conversation;
using test::rang;
using test::vring;
using vhost_user::Request;

BOOST_AUTO_TEST_SUITE(session_device)

BOOST_AUTO_TEST_CASE(a_device_is_activated_once_its_required_rings_are_enabled) {
  Conversation talk;
  talk.agree();
  talk.give_memory();
  talk.ring(0);
  talk.ring(1);
  talk.enable(0);
  BOOST_TEST(!talk.session.running());
  talk.enable(1);
  BOOST_REQUIRE(talk.session.running());
  BOOST_TEST(talk.device.activations == 1);
  BOOST_TEST(talk.device.active->queues.size() == 2U);
  BOOST_TEST(talk.device.active->features == talk.driver.queue_features());
  BOOST_TEST(talk.echo(1, "hello") == "hello");
  BOOST_TEST(rang(talk.call));
}

BOOST_AUTO_TEST_CASE(rings_begin_enabled_where_protocol_features_were_not_agreed) {
  Conversation talk;
  talk.agree(talk.driver.queue_features());
  talk.give_memory();
  talk.ring(0);
  talk.ring(1);
  BOOST_TEST(talk.session.running());
}

BOOST_AUTO_TEST_CASE(kicks_enable_rings_that_nobody_spoke_of) {
  Conversation talk;
  talk.agree();
  talk.give_memory();
  talk.ring(0);
  talk.ring(1);
  talk.session.kicked(1);
  BOOST_TEST(!talk.session.running());
  talk.session.kicked(0);
  BOOST_TEST(talk.session.running());
}

BOOST_AUTO_TEST_CASE(a_kick_does_not_enable_a_ring_that_was_disabled) {
  Conversation talk;
  talk.start();
  talk.enable(0, false);
  BOOST_TEST(!talk.session.running());
  talk.session.kicked(0);
  BOOST_TEST(!talk.session.running());
  talk.enable(0);
  BOOST_TEST(talk.session.running());
}

BOOST_AUTO_TEST_CASE(a_kick_to_an_unknown_queue_is_ignored) {
  Conversation talk;
  talk.session.kicked(0);
  talk.start();
  talk.session.kicked(2);
  talk.session.kicked(3);
  talk.session.kicked(0xffff);
  BOOST_TEST(talk.session.running());
}

BOOST_AUTO_TEST_CASE(memory_may_come_last) {
  Conversation talk;
  talk.agree();
  talk.ring(0);
  talk.ring(1);
  talk.enable(0);
  talk.enable(1);
  BOOST_TEST(!talk.session.running());
  talk.give_memory();
  BOOST_TEST(talk.session.running());
  BOOST_TEST(talk.echo(0, "late") == "late");
}

BOOST_AUTO_TEST_CASE(every_queue_is_processed_once_when_the_device_starts) {
  Conversation talk;
  talk.driver.send(0, {test::to_bytes("early")}, {5});
  talk.driver.send(1, {test::to_bytes("bird")}, {4});
  talk.start();
  BOOST_TEST(test::to_text(talk.driver.pop_used(0).value().data) == "early");
  BOOST_TEST(test::to_text(talk.driver.pop_used(1).value().data) == "bird");
  BOOST_TEST(talk.device.processed[0] == 1);
}

BOOST_AUTO_TEST_CASE(every_ring_that_is_set_up_goes_to_the_device) {
  Conversation talk;
  talk.start(3);
  BOOST_TEST(talk.device.activations == 1);
  BOOST_TEST(talk.device.active->queues.size() == 3U);
  BOOST_TEST(talk.echo(2, "third") == "third");
}

BOOST_AUTO_TEST_CASE(a_ring_that_comes_later_joins_and_the_others_go_on) {
  Conversation talk;
  talk.start();
  BOOST_TEST(talk.echo(1, "one") == "one");
  talk.ring(2);
  talk.enable(2);
  BOOST_TEST(talk.device.activations == 2);
  BOOST_TEST(talk.device.active->queues.size() == 3U);
  BOOST_TEST(talk.echo(1, "two") == "two");
  BOOST_TEST(talk.echo(2, "three") == "three");
}

BOOST_AUTO_TEST_CASE(memory_is_replaced_under_a_running_device_and_indices_survive) {
  for (const bool slow : {false, true}) {
    Conversation talk;
    talk.start();
    for (int i = 0; i < 40; ++i)
      BOOST_TEST(talk.echo(1, "before") == "before");
    const auto* before = talk.device.active->memory.get();
    talk.device.slow = slow;
    talk.give_memory();
    if (slow) {
      // Kicked while it comes to rest: picked up when it goes on.
      talk.driver.send(1, {test::to_bytes("meanwhile")}, {9});
      talk.session.kicked(1);
      BOOST_TEST(talk.driver.used_pending(1) == 0);
      talk.device.finish_rest();
      BOOST_TEST(test::to_text(talk.driver.pop_used(1).value().data) == "meanwhile");
    }
    BOOST_TEST(talk.device.activations == 2);
    BOOST_TEST(talk.device.resets == 0);
    BOOST_TEST(talk.device.active->memory.get() != before);
    BOOST_TEST(talk.echo(1, "after") == "after");
  }
}

BOOST_AUTO_TEST_CASE(an_acknowledgement_waits_until_the_device_goes_on) {
  Conversation talk;
  talk.start();
  talk.device.slow = true;
  std::vector<UniqueFd> fds;
  fds.push_back(test::duplicate(talk.driver.memory_fd()));
  talk.session.feed(test::message(Request::SetMemTable, mem_table(talk.driver), true),
                    std::move(fds));
  BOOST_TEST(talk.host.sent.empty());
  talk.device.finish_rest();
  BOOST_TEST((Conversation::payload_of(talk.host.take(), Request::SetMemTable) ==
              bytes_of(std::uint64_t{0})));
  BOOST_TEST(talk.session.running());
}

BOOST_AUTO_TEST_CASE(memory_that_is_taken_away_stops_the_device) {
  Conversation talk;
  talk.start();
  talk.say(Request::SetMemTable, bytes_of(vhost_user::MemTableHeader{0, 0}));
  BOOST_TEST(!talk.session.running());
  talk.give_memory();
  BOOST_TEST(talk.session.running());
}

BOOST_AUTO_TEST_CASE(a_stopped_ring_tells_its_index_and_goes_on_from_it) {
  Conversation talk;
  talk.start();
  for (int i = 0; i < 20; ++i)
    talk.echo(0, "x");
  talk.enable(0, false);
  talk.enable(1, false);
  BOOST_TEST((talk.ask(Request::GetVringBase, vring(0, 0)) == vring(0, 20)));
  BOOST_TEST((talk.ask(Request::GetVringBase, vring(1, 0)) == vring(1, 0)));
  BOOST_TEST(talk.host.kicks.empty());
  BOOST_TEST(!talk.device.active.has_value());
  talk.say(Request::SetVringBase, vring(0, 20));
  talk.notifier(Request::SetVringKick, 0, talk.kick);
  talk.notifier(Request::SetVringKick, 1, talk.kick);
  talk.enable(0);
  talk.enable(1);
  BOOST_TEST(talk.echo(0, "on") == "on");
}

BOOST_AUTO_TEST_CASE(stopping_a_ring_that_is_not_required_leaves_the_others_running) {
  Conversation talk;
  talk.start(3);
  BOOST_TEST((talk.ask(Request::GetVringBase, vring(2, 0)) == vring(2, 0)));
  BOOST_REQUIRE(talk.session.running());
  BOOST_TEST(talk.device.active->queues.size() == 2U);
  BOOST_TEST(talk.echo(1, "still") == "still");
}

BOOST_AUTO_TEST_CASE(a_device_reset_forgets_its_rings) {
  Conversation talk;
  talk.start();
  talk.say(Request::ResetDevice);
  BOOST_TEST(talk.device.resets == 1);
  BOOST_TEST(!talk.session.running());
  BOOST_TEST(talk.host.kicks.empty());
  BOOST_TEST((talk.ask(Request::GetVringBase, vring(0, 0)) == vring(0, 0)));
  BOOST_TEST(talk.host.failure.has_value() == false);
}

BOOST_AUTO_TEST_CASE(other_features_reset_and_restart_the_device) {
  Conversation talk(false);
  talk.start();
  BOOST_TEST(talk.echo(0, "x") == "x");
  talk.agree(talk.features());
  BOOST_TEST(talk.device.activations == 1);
  talk.agree(talk.features() | 1);
  BOOST_TEST(talk.device.activations == 2);
  BOOST_TEST(talk.device.resets == 1);
  BOOST_TEST(talk.device.active->features == (talk.driver.queue_features() | 1));
  BOOST_TEST(talk.echo(0, "y") == "y");
}

BOOST_AUTO_TEST_CASE(a_legacy_driver_is_refused_with_what_to_do_about_it) {
  Conversation talk;
  talk.start(0);
  talk.agree(vhost_user::kFeatureProtocolFeatures);
  talk.ring(0);
  talk.ring(1);
  talk.enable(0);
  talk.enable(1);
  BOOST_REQUIRE(talk.host.failure.has_value());
  BOOST_TEST((talk.host.failure->code() == ErrorCode::UnsupportedFeature));
  BOOST_TEST(!talk.host.failure->hint().empty());
}

BOOST_AUTO_TEST_CASE(rings_outside_the_memory_table_end_the_session) {
  for (auto member : {&vhost_user::VringAddress::descriptors, &vhost_user::VringAddress::available,
                      &vhost_user::VringAddress::used}) {
    Conversation talk;
    talk.agree();
    talk.give_memory();
    talk.ring(0);
    talk.ring(1);
    vhost_user::VringAddress address;
    std::memcpy(&address, vring_addr(talk.driver, 1).data(), sizeof address);
    address.*member = talk.driver.options().user_address + talk.driver.memory()->size() - 16;
    talk.say(Request::SetVringAddr, bytes_of(address));
    talk.enable(0);
    talk.enable(1);
    BOOST_REQUIRE(talk.host.failure.has_value());
    BOOST_TEST(talk.host.failure->message() ==
               "vhost-user: ring 1 does not lie in the memory table");
    BOOST_TEST(!talk.session.running());
  }
}

BOOST_AUTO_TEST_CASE(a_ring_that_its_driver_broke_is_told_once) {
  Conversation talk;
  talk.start();
  const auto err = test::make_eventfd();
  talk.notifier(Request::SetVringErr, 1, err);
  talk.driver.raw_available_index(1, 1000);
  talk.session.kicked(1);
  BOOST_TEST(rang(err));
  talk.session.kicked(1);
  BOOST_TEST(!rang(err));
  BOOST_TEST(talk.echo(0, "fine") == "fine");
}

BOOST_AUTO_TEST_CASE(a_call_may_be_changed_and_taken_away) {
  Conversation talk(false);
  talk.start();
  talk.echo(0, "x");
  BOOST_TEST(rang(talk.call));
  const auto other = test::make_eventfd();
  talk.notifier(Request::SetVringCall, 0, other);
  BOOST_TEST(rang(other));
  talk.echo(0, "x");
  BOOST_TEST(rang(other));
  BOOST_TEST(!rang(talk.call));
  talk.say(Request::SetVringCall, bytes_of(vhost_user::kVringNoFd));
  talk.echo(0, "x");
  BOOST_TEST(!rang(other));
  BOOST_TEST(talk.device.activations == 1);
}

BOOST_AUTO_TEST_SUITE_END()
