#include <boost/test/unit_test.hpp>
#include <tests/support/fake_driver.hpp>
#include <thread>

using namespace capsa;
using test::FakeDriver;
using test::to_bytes;
using test::to_text;

namespace {

void refused(const FakeDriver& driver, const virtio::QueueConfig& config) {
  const auto queue = virtio::Queue::create(driver.memory(), config);
  BOOST_REQUIRE(!queue);
  BOOST_TEST((queue.error().code() == ErrorCode::InvalidConfig), queue.error().what());
}

/// Every combination of what can be agreed for a queue.
std::vector<test::FakeDriverOptions> all_options() {
  return {{.event_idx = false, .indirect = false},
          {.event_idx = true, .indirect = false},
          {.event_idx = false, .indirect = true},
          {.event_idx = true, .indirect = true}};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(queue)

BOOST_AUTO_TEST_CASE(a_chain_goes_to_the_device_and_comes_back) {
  for (const auto& options : all_options()) {
    FakeDriver driver({8}, options);
    const auto activation = driver.activation();
    const auto head = driver.send(0, {to_bytes("he"), to_bytes("llo")}, {3, 10});
    auto chain = activation.queues[0].pop();
    BOOST_REQUIRE(chain);
    BOOST_TEST(chain->head == head);
    test::Bytes seen(chain->readable_bytes());
    BOOST_TEST(chain->copy_out(0, seen) == 5U);
    BOOST_TEST(to_text(seen) == "hello");
    BOOST_TEST(chain->copy_in(0, to_bytes("world")) == 5U);
    BOOST_TEST(!activation.queues[0].pop().has_value());
    BOOST_TEST(!driver.pop_used(0).has_value());
    activation.queues[0].push(chain->head, 5);
    const auto used = driver.pop_used(0).value();
    BOOST_TEST(used.head == head);
    BOOST_TEST(used.written == 5U);
    BOOST_TEST(to_text(used.data) == "world");
    BOOST_TEST(driver.free_descriptors(0) == 8U);
  }
}

BOOST_AUTO_TEST_CASE(what_was_added_is_invisible_until_it_is_published) {
  FakeDriver driver({8});
  driver.activation();
  driver.add(0, {to_bytes("a")}, {});
  driver.add(0, {to_bytes("b")}, {});
  BOOST_TEST(!driver.queue(0).pop().has_value());
  driver.publish(0);
  BOOST_TEST(driver.queue(0).pop().has_value());
  BOOST_TEST(driver.queue(0).pop().has_value());
}

BOOST_AUTO_TEST_CASE(chains_may_be_given_back_in_any_order) {
  FakeDriver driver({8});
  driver.activation();
  const auto a = driver.send(0, {to_bytes("a")}, {1});
  const auto b = driver.send(0, {to_bytes("b")}, {1});
  driver.queue(0).pop();
  driver.queue(0).pop();
  driver.queue(0).push(b, 0);
  driver.queue(0).push(a, 0);
  BOOST_TEST(driver.used_pending(0) == 2);
  BOOST_TEST(driver.pop_used(0).value().head == b);
  BOOST_TEST(driver.pop_used(0).value().head == a);
}

BOOST_AUTO_TEST_CASE(a_chain_that_was_put_back_is_popped_again) {
  FakeDriver driver({8});
  driver.activation();
  const auto a = driver.send(0, {to_bytes("a")});
  driver.send(0, {to_bytes("b")});
  BOOST_TEST(driver.queue(0).pop().value().head == a);
  driver.queue(0).undo_pop();
  BOOST_TEST(driver.queue(0).pop().value().head == a);
  BOOST_TEST(driver.queue(0).pop().value().head != a);
}

BOOST_AUTO_TEST_CASE(the_indices_wrap_after_65536_chains) {
  for (const auto& options : all_options()) {
    FakeDriver driver({4}, options);
    driver.activation();
    for (std::uint32_t i = 0; i < 70'000; ++i) {
      const auto head = driver.send(0, {to_bytes("x")});
      const auto chain = driver.queue(0).pop();
      if (!chain || chain->head != head) BOOST_FAIL("chain " << i << " was lost");
      driver.queue(0).push(head, 0);
      if (!driver.queue(0).should_signal()) BOOST_FAIL("no signal for chain " << i);
      if (!driver.pop_used(0)) BOOST_FAIL("chain " << i << " did not come back");
    }
  }
}

BOOST_AUTO_TEST_CASE(a_queue_that_ran_before_goes_on_where_it_was) {
  FakeDriver driver({4});
  driver.activation();
  for (int i = 0; i < 6; ++i) {
    driver.send(0, {to_bytes("x")});
    driver.queue(0).push(driver.queue(0).pop().value().head, 0);
    driver.pop_used(0);
  }
  auto config = driver.queue_config(0);
  config.next_available = driver.queue(0).next_available();
  BOOST_TEST(config.next_available == 6);
  auto again = virtio::Queue::create(driver.memory(), config).value();
  const auto head = driver.send(0, {to_bytes("y")});
  BOOST_TEST(again.pop().value().head == head);
  again.push(head, 0);
  BOOST_TEST(driver.pop_used(0).value().head == head);
}

BOOST_AUTO_TEST_CASE(more_available_than_the_queue_holds_breaks_it) {
  FakeDriver driver({4});
  driver.activation();
  driver.raw_available_index(0, 4);
  BOOST_TEST(driver.queue(0).pop().has_value());
  driver.raw_available_index(0, 6);
  BOOST_TEST(!driver.queue(0).pop().has_value());
  BOOST_TEST(driver.queue(0).broken());
  BOOST_TEST(driver.queue(0).broken_reason() == "more chains available than the queue holds");
}

BOOST_AUTO_TEST_CASE(an_available_index_that_goes_back_breaks_the_queue) {
  FakeDriver driver({4});
  driver.activation();
  driver.send(0, {to_bytes("x")});
  driver.queue(0).pop();
  driver.raw_available_index(0, 0);
  BOOST_TEST(!driver.queue(0).pop().has_value());
  BOOST_TEST(driver.queue(0).broken());
}

BOOST_AUTO_TEST_CASE(a_broken_queue_yields_nothing_and_is_not_written_to) {
  for (const auto& options : all_options()) {
    FakeDriver driver({4}, options);
    driver.activation();
    const auto head = driver.send(0, {to_bytes("x")});
    driver.queue(0).pop();
    driver.raw_available_index(0, 99);
    driver.queue(0).pop();
    BOOST_REQUIRE(driver.queue(0).broken());
    driver.raw_available_index(0, 2);
    const auto ring = driver.memory()->slice(driver.ring(0).used, 4 + 8 * 4 + 2).value();
    const test::Bytes before(ring.begin(), ring.end());
    driver.queue(0).push(head, 0);
    driver.queue(0).disable_notifications();
    BOOST_TEST(!driver.queue(0).enable_notifications());
    BOOST_TEST(!driver.queue(0).pop().has_value());
    BOOST_TEST((before == test::Bytes(ring.begin(), ring.end())));
    BOOST_TEST(!driver.queue(0).should_signal());
  }
}

BOOST_AUTO_TEST_CASE(a_size_that_is_no_power_of_two_or_too_large_is_refused) {
  FakeDriver driver({8});
  for (const std::uint16_t size : {0, 3, 12, 8192, 32768, 65535}) {
    auto config = driver.queue_config(0);
    config.size = size;
    refused(driver, config);
  }
}

BOOST_AUTO_TEST_CASE(rings_that_are_misaligned_or_outside_memory_are_refused) {
  FakeDriver driver({8});
  const std::uint64_t end = driver.options().guest_address + driver.memory()->size();
  const auto good = driver.queue_config(0);
  BOOST_TEST(virtio::Queue::create(driver.memory(), good).ok());
  for (auto member : {&virtio::QueueConfig::descriptors, &virtio::QueueConfig::available,
                      &virtio::QueueConfig::used}) {
    for (const auto bad :
         std::initializer_list<std::uint64_t>{0, good.*member + 1, end, end - 16, ~0ULL - 15}) {
      auto config = good;
      config.*member = bad;
      refused(driver, config);
    }
  }
  BOOST_TEST(!virtio::Queue::create(nullptr, good).ok());
}

BOOST_AUTO_TEST_CASE(rings_may_end_exactly_where_memory_ends) {
  for (const bool event_idx : {false, true}) {
    FakeDriver driver({8}, {.event_idx = event_idx});
    const std::uint64_t end = driver.options().guest_address + driver.memory()->size();
    auto config = driver.queue_config(0);
    config.used = end - (4 + 8 * 8) - (event_idx ? 4 : 0);
    BOOST_TEST(virtio::Queue::create(driver.memory(), config).ok());
    config.used += 4;
    BOOST_TEST(!virtio::Queue::create(driver.memory(), config).ok());
  }
}

BOOST_AUTO_TEST_CASE(a_driver_on_another_thread_loses_nothing) {
  FakeDriver driver({16});
  driver.activation();
  constexpr int kChains = 20'000;
  std::jthread device([&queue = driver.queue(0)] {
    for (int done = 0; done < kChains;) {
      while (const auto chain = queue.pop()) {
        std::uint32_t value = 0;
        chain->copy_out(0, std::as_writable_bytes(std::span(&value, 1)));
        chain->copy_in(0, std::as_bytes(std::span(&value, 1)));
        queue.push(chain->head, 4);
        ++done;
      }
      std::this_thread::yield();
    }
  });
  std::uint32_t sent = 0, received = 0;
  while (received < kChains) {
    while (sent < kChains && driver.free_descriptors(0) >= 2) {
      const auto bytes = std::as_bytes(std::span(&sent, 1));
      driver.send(0, {test::Bytes(bytes.begin(), bytes.end())}, {4});
      ++sent;
    }
    while (const auto used = driver.pop_used(0)) {
      std::uint32_t value = 0;
      std::memcpy(&value, used->data.data(), 4);
      if (value != received) BOOST_FAIL("chain " << received << " came back as " << value);
      ++received;
    }
    std::this_thread::yield();
  }
}

BOOST_AUTO_TEST_SUITE_END()
