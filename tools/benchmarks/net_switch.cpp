#include <tools/benchmarks/net_switch.hpp>

#include <capsa/result.hpp>
#include <net/packet/build.hpp>
#include <net/switch/switch.hpp>
#include <tools/benchmarks/net_allocations.hpp>
#include <tools/benchmarks/net_frames.hpp>
#include <tools/benchmarks/samples.hpp>

#include <time.h>

#include <cstdio>
#include <functional>

namespace capsa::bench {

namespace {

constexpr std::size_t kBatch = 64;
constexpr unsigned kBatches = 20'000;

/// Keeps what it is given, to be taken from it.
class Keeper final : public net::Egress {
 public:
  std::size_t credit() const override { return net::FrameBatch::kMaxFrames; }
  void send(net::FrameBatch& batch) override { kept = std::move(batch); }
  net::Offloads offloads() const override { return {}; }
  net::FrameBatch kept;
};

std::chrono::nanoseconds cpu_here() {
  timespec used{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

/// Two ports, and what one of them sends to the other.
class Bench {
 public:
  Bench() {
    from_ = net_.add_port(a_, {.locked_mac = station(1)}).value();
    net_.add_port(b_, {.locked_mac = station(2)}).value();
  }

  /// The same frames again and again: the switch alone.
  void forward() { net_.forward(from_, std::move(b_.kept), Clock::now()); }
  /// Each frame is made, written in full, forwarded and given back.
  void make_and_forward() {
    b_.kept = make();
    forward();
    if (b_.kept.size() != kBatch)
      throw error(ErrorCode::Internal, "the switch has lost frames on their way");
    b_.kept = {};
  }
  void prepare() { b_.kept = make(); }
  std::size_t arrived() const { return b_.kept.size(); }

 private:
  using Clock = std::chrono::steady_clock;

  net::FrameBatch make() {
    auto batch = pool_->batch();
    for (std::size_t i = 0; i < kBatch; ++i) {
      auto frame = pool_->make(bytes_.size());
      std::copy(bytes_.begin(), bytes_.end(), frame.bytes().begin());
      batch.push(std::move(frame));
    }
    return batch;
  }

  const net::FrameBytes bytes_ = datagram(station(1), station(2), 1500);
  std::shared_ptr<net::FramePool> pool_ = net::FramePool::create();
  net::Switch net_;
  Keeper a_;
  Keeper b_;
  net::PortId from_;
};

void measure(const char* what, unsigned rounds, const std::function<void()>& batch) {
  Samples of_one;
  std::uint64_t allocations = 0;
  for (unsigned i = 0; i < kBatches / 10; ++i)
    batch();
  for (unsigned round = 0; round < rounds; ++round) {
    const auto allocated = allocations_here();
    const auto before = cpu_here();
    for (unsigned i = 0; i < kBatches; ++i)
      batch();
    const auto used = cpu_here() - before;
    allocations += allocations_here() - allocated;
    // Of a thousand: what one takes is a few nanoseconds.
    of_one.add(used * 1000 / (kBatches * kBatch));
  }
  std::printf("  %-46s %7.1f M frames/s   %5.1f ns a frame, %.6f allocations a frame\n", what,
              1e3 / std::chrono::duration<double, std::micro>(of_one.median()).count(),
              std::chrono::duration<double, std::micro>(of_one.median()).count(),
              static_cast<double>(allocations) / (static_cast<double>(rounds) * kBatches * kBatch));
}

}  // namespace

void measure_switch(unsigned rounds) {
  std::printf(
      "switch: one port to another, frames of 1514 bytes, %zu a batch; per CPU-second. Wanted:\n"
      "5 M frames/s, and no allocation for each\n",
      kBatch);
  Bench bench;
  bench.prepare();
  measure("forwarded, the same ones again", rounds, [&] { bench.forward(); });
  if (bench.arrived() != kBatch)
    throw error(ErrorCode::Internal, "the switch has lost frames on their way");
  measure("made, written, forwarded and given back", rounds, [&] { bench.make_and_forward(); });
}

}  // namespace capsa::bench
