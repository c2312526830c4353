#include <atomic>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <new>
#include <tests/unit/virtio_net/bench.hpp>

namespace {
std::atomic<std::size_t> allocations{0};
}

// Of the whole program: what the device does must show whoever it asks for memory.
void* operator new(std::size_t size) {
  ++allocations;
  if (void* memory = std::malloc(size == 0 ? 1 : size)) return memory;
  throw std::bad_alloc();
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}

namespace capsa::virtio::nic::test {

namespace {

/// Takes what it is sent, and gives it back at once.
struct Sink final : net::FramePort {
  void attach(net::FrameReceiver*) override {}
  std::size_t credit() const override { return 256; }
  std::size_t send(net::FrameBatch& batch) override {
    const std::size_t count = batch.size();
    frames += count;
    batch.clear();
    return count;
  }
  net::Offloads offloads() const override { return net::kAllOffloads; }
  std::size_t frames = 0;
};

template <class Work>
std::size_t allocations_of(Work work) {
  const std::size_t before = allocations;
  work();
  return allocations - before;
}

/// What the queue itself allocates for chains: not the card's doing.
std::size_t allocations_of_popping(Queue& queue, std::size_t count) {
  return allocations_of([&] {
    for (std::size_t at = 0; at < count; ++at)
      queue.push(queue.pop()->head, 0);
  });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(virtio_net_allocation)

BOOST_AUTO_TEST_CASE(a_warm_card_allocates_nothing_for_frames_of_either_direction) {
  Sink sink;
  const auto pool = net::FramePool::create();
  const auto far_pool = net::FramePool::create();
  const auto card = NetDevice::create({.mac = kMac}, sink, pool, [] {}).value();
  capsa::test::FakeDriver driver(card->identity());
  driver.activate(*card, kEverything);
  const auto fill = [&] {
    for (unsigned at = 0; at < 100; ++at) {
      driver.add(1, {RawHeader{}.bytes(), pattern(1000)}, {});
      driver.add(0, {}, {12, 1500});
    }
    driver.publish(0);
    driver.publish(1);
  };
  const auto take_back = [&] {
    for (const QueueIndex queue : {QueueIndex{0}, QueueIndex{1}})
      while (driver.pop_used(queue)) {
      }
  };
  unsigned frames = 51;
  const auto work = [&] {
    card->process(1);
    card->process(0);
    net::FrameBatch batch = far_pool->batch();
    // Of two buffers each; one of them waits, from the first round on.
    for (unsigned at = 0; at < frames; ++at)
      batch.push(far_pool->make(2000));
    for (net::Frame& frame : batch)
      std::fill(frame.bytes().begin(), frame.bytes().end(), std::byte{1});
    card->receive(std::move(batch));
  };
  std::size_t warm = 0;
  for (int round = 0; round < 4; ++round) {
    fill();
    warm = allocations_of(work);
    take_back();
    frames = 50;
  }
  BOOST_TEST(sink.frames == 400U);
  BOOST_TEST(card->stats().received_frames >= 200U);
  fill();
  const std::size_t popping =
      allocations_of_popping(driver.queue(1), 100) + allocations_of_popping(driver.queue(0), 100);
  BOOST_TEST(popping > 0U);
  BOOST_TEST(warm == popping);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::virtio::nic::test
