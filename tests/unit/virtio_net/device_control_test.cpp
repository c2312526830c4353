#include <boost/test/unit_test.hpp>
#include <tests/unit/virtio_net/bench.hpp>

namespace capsa::virtio::nic::test {

namespace {

constexpr QueueIndex kControl = 8;  // behind four pairs

BenchOptions four_pairs() {
  return {.config = {.mac = kMac, .queue_pairs = 4}};
}

/// The answer to a command; 0xff where there is none.
unsigned command(Bench& bench, const Bytes& bytes, QueueIndex queue = kControl) {
  bench.driver.send_to(*bench.card, queue, {bytes}, {1});
  const auto used = bench.driver.pop_used(queue);
  return used && used->data.size() == 1 ? std::to_integer<unsigned>(used->data[0]) : 0xff;
}

Bytes set_pairs(unsigned pairs) {
  return {std::byte{4}, std::byte{0}, static_cast<std::byte>(pairs),
          static_cast<std::byte>(pairs >> 8)};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(virtio_net_control)

BOOST_AUTO_TEST_CASE(the_driver_chooses_how_many_pairs_it_uses) {
  Bench bench(four_pairs(), kSeveralQueues);
  BOOST_TEST(bench.card->queue_pairs() == 1U);
  BOOST_TEST(command(bench, set_pairs(4)) == 0U);
  BOOST_TEST(bench.card->queue_pairs() == 4U);
  BOOST_TEST(bench.signals(kControl) == 1U);
  BOOST_TEST(command(bench, set_pairs(2)) == 0U);
  BOOST_TEST(bench.card->queue_pairs() == 2U);
  bench.card->suspend({});
  bench.activate(kSeveralQueues);
  BOOST_TEST(bench.card->queue_pairs() == 2U);
  bench.card->reset({});
  bench.activate(kSeveralQueues);
  BOOST_TEST(bench.card->queue_pairs() == 1U);
}

BOOST_AUTO_TEST_CASE(commands_that_are_wrong_or_unknown_are_refused) {
  Bench bench(four_pairs(), kSeveralQueues);
  BOOST_TEST(command(bench, set_pairs(0)) == 1U);
  BOOST_TEST(command(bench, set_pairs(5)) == 1U);
  BOOST_TEST(command(bench, set_pairs(0x8000)) == 1U);
  BOOST_TEST(command(bench, {std::byte{4}, std::byte{0}, std::byte{2}}) == 1U);
  BOOST_TEST(command(bench, {std::byte{4}, std::byte{1}, std::byte{2}, std::byte{0}}) == 1U);
  BOOST_TEST(command(bench, {std::byte{1}, std::byte{0}, std::byte{2}, std::byte{0}}) == 1U);
  BOOST_TEST(command(bench, {}) == 1U);
  BOOST_TEST(bench.card->stats().control_errors == 7U);
  BOOST_TEST(bench.card->queue_pairs() == 1U);
  // Nowhere to put the answer.
  bench.driver.send_to(*bench.card, kControl, {set_pairs(2)});
  BOOST_TEST(bench.driver.pop_used(kControl)->written == 0U);
  BOOST_TEST(bench.card->queue_pairs() == 2U);
}

BOOST_AUTO_TEST_CASE(without_several_queues_the_control_queue_is_the_third_and_refuses) {
  Bench bench(four_pairs(), kEverything | kFeatureControlQueue);
  BOOST_TEST(command(bench, set_pairs(2), 2) == 1U);
  BOOST_TEST(bench.card->queue_pairs() == 1U);
  bench.send(pattern(60), {}, 3);
  BOOST_TEST(bench.far.frames.empty());
}

BOOST_AUTO_TEST_CASE(a_control_queue_that_the_transport_keeps_leaves_all_pairs_in_use) {
  Bench bench(four_pairs(), std::nullopt);
  bench.driver.activate(*bench.card, kSeveralQueues, 6);
  BOOST_TEST(bench.card->queue_pairs() == 3U);
  bench.send(pattern(60), {}, 5);
  BOOST_TEST(bench.far.frames.size() == 1U);
}

BOOST_AUTO_TEST_CASE(pairs_that_such_a_transport_sets_up_one_after_the_other_are_used) {
  Bench bench(four_pairs(), std::nullopt);
  for (const QueueIndex queues : {2, 8}) {
    bench.driver.activate(*bench.card, kSeveralQueues, queues);
    BOOST_TEST(bench.card->queue_pairs() == queues / 2);
    if (queues == 2) bench.card->suspend({});
  }
  bench.send(pattern(60), {}, 7);
  BOOST_TEST(bench.far.frames.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_flow_is_received_by_the_pair_that_sent_for_it) {
  Bench bench(four_pairs(), kSeveralQueues);
  command(bench, set_pairs(4));
  for (QueueIndex pair = 0; pair < 4; ++pair)
    bench.give(8, {1536}, static_cast<QueueIndex>(2 * pair));
  for (const bool ipv6 : {false, true}) {
    for (const QueueIndex pair : {QueueIndex{2}, QueueIndex{3}, QueueIndex{1}}) {
      bench.send(tcp_frame(10, {.ipv6 = ipv6}), {}, static_cast<QueueIndex>(2 * pair + 1));
      const Bytes reply = tcp_frame(20, {.ipv6 = ipv6, .reply = true});
      bench.receive({reply});
      BOOST_TEST((Bench::frame_of(bench.next(static_cast<QueueIndex>(2 * pair))) == reply));
    }
  }
  // What is not IP comes by the first.
  bench.send(pattern(60), {}, 5);
  bench.receive({pattern(60)});
  BOOST_TEST((Bench::frame_of(bench.next(0)) == pattern(60)));
}

BOOST_AUTO_TEST_CASE(a_pair_that_is_not_used_any_more_receives_nothing) {
  Bench bench(four_pairs(), kSeveralQueues);
  command(bench, set_pairs(4));
  bench.send(tcp_frame(10), {}, 7);
  bench.receive({tcp_frame(10, {.reply = true})});  // waits for buffers of the fourth
  BOOST_TEST(bench.card->waiting() == 1U);
  command(bench, set_pairs(1));
  BOOST_TEST(bench.card->waiting() == 0U);
  BOOST_TEST(bench.card->stats().receive_overflow == 1U);
  bench.give(1);
  bench.receive({tcp_frame(10, {.reply = true})});
  BOOST_TEST(bench.driver.used_pending(0) == 1U);
  bench.far.frames.clear();
  bench.send(pattern(60), {}, 7);
  BOOST_TEST(bench.far.frames.empty());
  // Not lost: it goes out once the pair is used again.
  command(bench, set_pairs(4));
  bench.wire.pump();
  BOOST_TEST(bench.far.frames.size() == 1U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::virtio::nic::test
