#include <boost/test/unit_test.hpp>
#include <tests/support/fake_driver.hpp>

using namespace capsa;
using test::FakeDriver;
using test::to_bytes;

namespace {

void give_back_one(FakeDriver& driver) {
  driver.send(0, {to_bytes("x")});
  driver.queue(0).push(driver.queue(0).pop().value().head, 0);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(queue_notification)

BOOST_AUTO_TEST_CASE(nothing_pushed_is_nothing_to_signal) {
  for (const bool event_idx : {false, true}) {
    FakeDriver driver({8}, {.event_idx = event_idx});
    driver.activation();
    BOOST_TEST(!driver.queue(0).should_signal());
    give_back_one(driver);
    BOOST_TEST(driver.queue(0).should_signal());
    BOOST_TEST(!driver.queue(0).should_signal());
  }
}

BOOST_AUTO_TEST_CASE(a_driver_that_wants_no_interrupts_gets_none) {
  for (const bool event_idx : {false, true}) {
    FakeDriver driver({8}, {.event_idx = event_idx});
    driver.activation();
    give_back_one(driver);
    BOOST_TEST(driver.queue(0).should_signal());
    driver.pop_used(0);
    driver.want_interrupts(0, false);
    give_back_one(driver);
    BOOST_TEST(!driver.queue(0).should_signal());
    driver.pop_used(0);
    driver.want_interrupts(0, true);
    give_back_one(driver);
    BOOST_TEST(driver.queue(0).should_signal());
  }
}

BOOST_AUTO_TEST_CASE(with_event_idx_one_interrupt_covers_all_until_the_driver_has_looked) {
  FakeDriver driver({8}, {.event_idx = true});
  driver.activation();
  give_back_one(driver);
  BOOST_TEST(driver.queue(0).should_signal());
  give_back_one(driver);
  BOOST_TEST(!driver.queue(0).should_signal());
  driver.pop_used(0);
  driver.pop_used(0);
  give_back_one(driver);
  give_back_one(driver);
  BOOST_TEST(driver.queue(0).should_signal());
}

BOOST_AUTO_TEST_CASE(the_first_signal_of_a_resumed_queue_is_given_whatever_the_event_says) {
  FakeDriver driver({8}, {.event_idx = true});
  driver.activation();
  give_back_one(driver);
  driver.activation();
  driver.queue(0);
  driver.want_interrupts(0, false);
  give_back_one(driver);
  BOOST_TEST(driver.queue(0).should_signal());
}

BOOST_AUTO_TEST_CASE(a_whole_turn_of_the_index_is_signalled) {
  FakeDriver driver({8}, {.event_idx = true});
  driver.activation();
  give_back_one(driver);
  BOOST_TEST(driver.queue(0).should_signal());
  driver.pop_used(0);
  driver.want_interrupts(0, false);
  for (int i = 0; i < 65536; ++i) {
    give_back_one(driver);
    driver.pop_used(0);
  }
  BOOST_TEST(driver.queue(0).should_signal());
}

BOOST_AUTO_TEST_CASE(a_draining_device_asks_for_no_kicks) {
  for (const bool event_idx : {false, true}) {
    FakeDriver driver({8}, {.event_idx = event_idx});
    driver.activation();
    driver.add(0, {to_bytes("x")}, {});
    BOOST_TEST(driver.publish(0));
    driver.queue(0).disable_notifications();
    driver.add(0, {to_bytes("y")}, {});
    BOOST_TEST(!driver.publish(0));
    driver.queue(0).pop();
    driver.queue(0).pop();
    BOOST_TEST(!driver.queue(0).enable_notifications());
    driver.add(0, {to_bytes("z")}, {});
    BOOST_TEST(driver.publish(0));
  }
}

BOOST_AUTO_TEST_CASE(a_chain_that_slipped_in_before_notifications_were_on_is_told) {
  for (const bool event_idx : {false, true}) {
    FakeDriver driver({8}, {.event_idx = event_idx});
    driver.activation();
    driver.queue(0).disable_notifications();
    driver.send(0, {to_bytes("x")});
    BOOST_TEST(driver.queue(0).enable_notifications());
    BOOST_TEST(driver.queue(0).pop().has_value());
    BOOST_TEST(!driver.queue(0).enable_notifications());
  }
}

BOOST_AUTO_TEST_SUITE_END()
