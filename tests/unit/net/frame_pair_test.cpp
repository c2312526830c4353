#include <boost/test/unit_test.hpp>
#include <net/frame_pair.hpp>
#include <tests/unit/net/frames.hpp>

namespace capsa::net::test {

namespace {

struct Recorder final : FrameReceiver {
  void receive(FrameBatch batch) override {
    ++batches;
    for (const Frame& frame : batch)
      if (frame) frames.push_back(bytes_of(frame));
  }
  void credit_available() override { ++credits; }
  Offloads offloads() const override { return kAllOffloads; }

  std::vector<Bytes> frames;
  std::size_t batches = 0;
  std::size_t credits = 0;
};

FrameBatch batch_of(FramePool& pool, unsigned count) {
  FrameBatch batch = pool.batch();
  for (unsigned at = 0; at < count; ++at)
    batch.push(make_frame(pool, pattern(60, at)));
  return batch;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(net_frame_pair)

BOOST_AUTO_TEST_CASE(what_is_sent_at_one_end_is_received_at_the_other_as_one_batch) {
  const auto pool = FramePool::create();
  FramePair pair;
  Recorder a, b;
  pair.a().attach(&a);
  pair.b().attach(&b);
  FrameBatch batch = batch_of(*pool, 3);
  BOOST_TEST(pair.a().send(batch) == 3U);
  BOOST_TEST(batch.empty());
  BOOST_TEST(b.frames.empty());
  BOOST_TEST(pair.pump());
  BOOST_TEST(b.batches == 1U);
  BOOST_REQUIRE(b.frames.size() == 3U);
  BOOST_TEST((b.frames[2] == pattern(60, 2)));
  BOOST_TEST(a.frames.empty());
  BOOST_TEST(!pair.pump());
}

BOOST_AUTO_TEST_CASE(credit_bounds_what_is_on_the_way_and_its_return_is_told_once) {
  const auto pool = FramePool::create();
  FramePair pair(4);
  Recorder a, b;
  pair.a().attach(&a);
  pair.b().attach(&b);
  FrameBatch batch = batch_of(*pool, 6);
  BOOST_TEST(pair.a().credit() == 4U);
  BOOST_TEST(pair.a().send(batch) == 4U);
  BOOST_REQUIRE(batch.size() == 2U);
  BOOST_TEST((bytes_of(batch[0]) == pattern(60, 4)));
  BOOST_TEST(pair.a().credit() == 0U);
  BOOST_TEST(pair.a().send(batch) == 0U);
  BOOST_TEST(pair.b().credit() == 4U);
  pair.pump();
  BOOST_TEST(a.credits == 1U);
  BOOST_TEST(b.credits == 0U);
  pair.pump();
  BOOST_TEST(a.credits == 1U);
  BOOST_TEST(pair.a().send(batch) == 2U);
}

BOOST_AUTO_TEST_CASE(nobody_and_what_is_not_accepted_are_counted) {
  const auto pool = FramePool::create();
  FramePair pair(8, {.checksum = true});
  FrameBatch batch = batch_of(*pool, 2);
  pair.a().send(batch);
  pair.pump();
  BOOST_TEST(pair.dropped() == 2U);
  Recorder b;
  pair.b().attach(&b);
  FrameBatch mixed = batch_of(*pool, 1);
  mixed.push(make_frame(*pool, tcp_frame(3000), tcp_gso()));
  pair.a().send(mixed);
  pair.pump();
  BOOST_TEST(pair.dropped() == 3U);
  BOOST_TEST(b.frames.size() == 1U);
  BOOST_TEST(pool->stats().bytes_in_use == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::test
