#include <boost/test/unit_test.hpp>
#include <tests/unit/net/frames.hpp>
#include <thread>

namespace capsa::net::test {

BOOST_AUTO_TEST_SUITE(net_frame_batch)

BOOST_AUTO_TEST_CASE(a_frame_has_the_length_asked_for_and_no_metadata_of_its_predecessor) {
  const auto pool = FramePool::create();
  for (const std::size_t length : {14U, 2048U, 2049U, 16384U, 16385U, 65550U}) {
    Frame frame = pool->make(length);
    BOOST_REQUIRE(frame);
    BOOST_TEST(frame.size() == length);
    BOOST_TEST((frame.meta() == FrameMeta{}));
    frame.meta() = tcp_gso();
    std::fill(frame.bytes().begin(), frame.bytes().end(), std::byte{1});
  }
  BOOST_TEST((pool->make(100).meta() == FrameMeta{}));
}

BOOST_AUTO_TEST_CASE(lengths_that_no_frame_has_are_refused) {
  const auto pool = FramePool::create();
  for (const std::size_t length : {0U, 13U, 65551U, 1U << 30})
    BOOST_TEST(!pool->make(length));
  BOOST_TEST(pool->stats().refused == 4U);
  BOOST_TEST(pool->stats().bytes_held == 0U);
}

BOOST_AUTO_TEST_CASE(a_warm_pool_makes_nothing_new) {
  const auto pool = FramePool::create();
  const auto round = [&] {
    FrameBatch batch = pool->batch();
    for (std::size_t at = 0; at < FrameBatch::kMaxFrames; ++at)
      BOOST_REQUIRE(batch.push(pool->make(at % 16 == 0 ? 20'000 : 60)));
    BOOST_TEST(batch.full());
    BOOST_TEST(!batch.push(pool->make(60)));
  };
  round();
  const auto warm = pool->stats();
  for (int i = 0; i < 10; ++i)
    round();
  BOOST_TEST(pool->stats().allocations == warm.allocations);
  BOOST_TEST(pool->stats().bytes_held == warm.bytes_held);
  BOOST_TEST(pool->stats().bytes_in_use == 0U);
}

BOOST_AUTO_TEST_CASE(the_cap_bounds_what_is_held_and_free_buffers_make_way_for_other_sizes) {
  const auto pool = FramePool::create(150'000);
  std::vector<Frame> frames;
  for (;;) {
    Frame frame = pool->make(60);
    if (!frame) break;
    frames.push_back(std::move(frame));
  }
  BOOST_TEST(frames.size() == 150'000U / 2048);
  BOOST_TEST(!pool->make(65550));
  frames.clear();
  std::vector<Frame> large;
  large.push_back(pool->make(65550));
  large.push_back(pool->make(65550));
  BOOST_TEST(static_cast<bool>(large[0]));
  BOOST_TEST(static_cast<bool>(large[1]));
  BOOST_TEST(!pool->make(65550));
  BOOST_TEST(pool->stats().bytes_held <= 150'000U);
  large.clear();
  pool->trim();
  BOOST_TEST(pool->stats().bytes_held == 0U);
}

BOOST_AUTO_TEST_CASE(dropping_the_front_keeps_the_order_of_the_rest) {
  const auto pool = FramePool::create();
  const auto other = FramePool::create();
  FrameBatch batch = pool->batch();
  for (unsigned at = 0; at < 10; ++at)
    batch.push(make_frame(at % 3 == 0 ? *other : *pool, pattern(60, at)));
  Frame taken = std::move(batch[1]);
  batch.drop_front(4);
  BOOST_REQUIRE(batch.size() == 6U);
  for (unsigned at = 4; at < 10; ++at)
    BOOST_TEST((bytes_of(batch[at - 4]) == pattern(60, at)));
  BOOST_TEST((bytes_of(taken) == pattern(60, 1)));
  BOOST_TEST(pool->stats().bytes_in_use == 5U * 2048);   // 1, 4, 5, 7, 8
  BOOST_TEST(other->stats().bytes_in_use == 2U * 2048);  // 6, 9
  batch.push(make_frame(*pool, pattern(60, 10)));
  BOOST_TEST((bytes_of(batch[6]) == pattern(60, 10)));
  FrameBatch moved = std::move(batch);
  BOOST_TEST(moved.size() == 7U);
  batch = FrameBatch();
  moved.clear();
  BOOST_TEST(moved.empty());
  BOOST_TEST(other->stats().bytes_in_use == 0U);
}

BOOST_AUTO_TEST_CASE(a_copy_lies_in_the_pool_that_made_it) {
  const auto pool = FramePool::create();
  const auto other = FramePool::create();
  const Frame frame = make_frame(*pool, tcp_frame(100), tcp_gso());
  const Frame copy = other->copy(frame);
  BOOST_TEST(copy.is_of(*other));
  BOOST_TEST(!copy.is_of(*pool));
  BOOST_TEST((bytes_of(copy) == bytes_of(frame)));
  BOOST_TEST((copy.meta() == frame.meta()));
}

BOOST_AUTO_TEST_CASE(frames_outlive_their_pool_and_may_end_on_another_thread) {
  auto pool = FramePool::create();
  const std::weak_ptr<FramePool> watch = pool;
  FrameBatch batch = pool->batch();
  for (unsigned at = 0; at < 20; ++at)
    batch.push(make_frame(*pool, pattern(60, at)));
  Frame last = pool->make(60);
  pool.reset();
  std::thread([moved = std::move(batch)]() mutable { moved.clear(); }).join();
  BOOST_TEST(!watch.expired());
  last = Frame();
  BOOST_TEST(watch.expired());
}

BOOST_AUTO_TEST_CASE(threads_share_a_pool) {
  const auto pool = FramePool::create(200'000);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 3; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        FrameBatch batch = pool->batch();
        for (std::size_t at = 0; at < 20; ++at)
          batch.push(pool->make(at == 0 ? 3000 : 60));
      }
    });
  }
  for (auto& thread : threads)
    thread.join();
  BOOST_TEST(pool->stats().bytes_in_use == 0U);
  BOOST_TEST(pool->stats().bytes_held <= 200'000U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::test
