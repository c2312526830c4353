#pragma once

#include <chrono>
#include <deque>
#include <limits>
#include <net/switch/switch.hpp>
#include <tests/unit/net/frames.hpp>
#include <vector>

namespace capsa::net::test {

using Time = std::chrono::steady_clock::time_point;
using namespace std::chrono_literals;

using Frames = std::vector<Bytes>;

constexpr MacAddress mac(unsigned number) {
  return MacAddress(
      {2, 0, 0, 0, static_cast<std::uint8_t>(number >> 8), static_cast<std::uint8_t>(number)});
}
constexpr MacAddress kNobody = mac(0xffff);

inline Bytes ethernet(const MacAddress& to, const MacAddress& from, std::size_t size = 60,
                      unsigned seed = 0) {
  Bytes frame = pattern(size, seed);
  for (std::size_t at = 0; at < 6; ++at) {
    frame[at] = std::byte{to.bytes()[at]};
    frame[6 + at] = std::byte{from.bytes()[at]};
  }
  return frame;
}

/// Takes so many frames of each batch, and keeps them.
struct Recorder final : Egress {
  std::size_t credit() const override { return room; }
  void send(FrameBatch& batch) override {
    const std::size_t count = std::min(room, batch.size());
    sizes.push_back(batch.size());
    for (std::size_t at = 0; at < count; ++at)
      frames.push_back(std::move(batch[at]));
    batch.drop_front(count);
  }
  Offloads offloads() const override { return takes; }

  /// What came since the last time.
  std::vector<Bytes> take() {
    std::vector<Bytes> all;
    for (const Frame& frame : frames)
      all.push_back(bytes_of(frame));
    frames.clear();
    sizes.clear();
    return all;
  }

  std::size_t room = FrameBatch::kMaxFrames;
  Offloads takes = kAllOffloads;
  std::vector<std::size_t> sizes;  // of batches
  std::vector<Frame> frames;
};

/// A switch with recorders at its ports.
struct Bench {
  explicit Bench(SwitchOptions options = {}) : net(options) {}

  PortId add(PortOptions options = {}) {
    return net.add_port(recorders.emplace_back(), options).value();
  }
  void forward(PortId from, const Frames& frames) {
    FrameBatch batch = pool->batch();
    for (const Bytes& bytes : frames)
      batch.push(make_frame(*pool, bytes));
    net.forward(from, std::move(batch), now);
  }
  void forward(PortId from, const Bytes& frame) { forward(from, Frames{frame}); }
  /// Makes it known that the station is there.
  void hear(PortId from, const MacAddress& station) {
    forward(from, ethernet(kNobody, station));
    for (Recorder& recorder : recorders)
      recorder.take();
  }
  std::uint64_t dropped(PortId port, FrameDrop why) const { return net.stats(port)->dropped(why); }
  std::vector<Bytes> take(std::size_t port) { return recorders[port].take(); }

  std::shared_ptr<FramePool> pool = FramePool::create();
  Time now{std::chrono::hours(1)};
  std::deque<Recorder> recorders;  // in the order of their ports
  Switch net;
};

}  // namespace capsa::net::test
