#include <atomic>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <new>
#include <tests/unit/net/switch/bench.hpp>

namespace {
std::atomic<std::size_t> allocations{0};
}

// Of the whole program: what the switch does must show whoever it asks for memory.
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

namespace capsa::net::test {

namespace {

/// Takes all, and gives it back at once.
struct Sink final : Egress {
  std::size_t credit() const override { return 256; }
  void send(FrameBatch& batch) override {
    frames += batch.size();
    const FrameBatch taken = std::move(batch);
  }
  Offloads offloads() const override { return takes; }
  std::size_t frames = 0;
  Offloads takes = kAllOffloads;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(net_switch_allocation)

BOOST_AUTO_TEST_CASE(a_warm_switch_allocates_nothing_to_forward_flood_or_cut) {
  const auto pool = FramePool::create();
  Switch net;
  std::vector<Sink> sinks(8);
  std::vector<PortId> ports;
  for (Sink& sink : sinks)
    ports.push_back(net.add_port(sink, {.flood_limit = {}}).value());
  sinks[3].takes = {};
  Time now{1h};
  const auto send = [&](PortId from, const Bytes& bytes, FrameMeta meta = {}) {
    FrameBatch batch = pool->batch();
    for (int at = 0; at < 64; ++at)
      batch.push(make_frame(*pool, bytes, meta));
    net.forward(from, std::move(batch), now);
  };
  for (unsigned at = 0; at < 8; ++at)
    send(ports[at], ethernet(MacAddress::broadcast(), mac(at)));
  const Bytes one = ethernet(mac(2), mac(1), 1514), all = ethernet(MacAddress::broadcast(), mac(1)),
              back = ethernet(mac(2), mac(3));
  Bytes large = tcp_frame(3000);
  const Bytes head = ethernet(mac(3), mac(1));
  std::copy_n(head.begin(), 12, large.begin());
  std::size_t before = 0;
  for (int round = 0; round < 20; ++round) {
    now += 1min;  // places of the table age, and are taken again
    send(ports[1], one);
    send(ports[1], all);
    send(ports[3], back);
    send(ports[1], large, tcp_gso({}, 1000));
    if (round < 4) before = allocations;  // still warming up
  }
  BOOST_TEST(allocations - before == 0U);
  BOOST_TEST(sinks[2].frames > 0U);
  BOOST_TEST(sinks[3].frames > 20U * 64U * 3U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::test
