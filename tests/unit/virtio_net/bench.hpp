#pragma once

#include <backends/virtio/net/device.hpp>
#include <memory>
#include <net/frame_pair.hpp>
#include <optional>
#include <tests/support/fake_driver.hpp>
#include <tests/unit/net/frames.hpp>
#include <utility>
#include <vector>

namespace capsa::virtio::nic::test {

using capsa::test::Bytes;
using net::test::bytes_of;
using net::test::make_frame;
using net::test::pattern;
using net::test::tcp_frame;
using net::test::tcp_gso;
using net::test::TcpSpec;

inline constexpr std::array<std::uint8_t, 6> kMac{0x52, 0x54, 0, 1, 2, 3};
inline constexpr std::uint64_t kEverything =
    kFeatureMac | kFeatureStatus | kFeatureMergeableBuffers | kFeatureChecksum |
    kFeatureGuestChecksum | kFeatureGuestTso4 | kFeatureGuestTso6 | kFeatureGuestEcn |
    kFeatureHostTso4 | kFeatureHostTso6 | kFeatureHostEcn;
inline constexpr std::uint64_t kSeveralQueues =
    kEverything | kFeatureControlQueue | kFeatureMultiQueue;

/// A header as a driver writes it (virtio 1.2, 5.1.6).
struct RawHeader {
  std::uint8_t flags = 0;
  std::uint8_t gso_type = 0;
  std::uint16_t hdr_len = 0;
  std::uint16_t gso_size = 0;
  std::uint16_t csum_start = 0;
  std::uint16_t csum_offset = 0;
  std::uint16_t num_buffers = 0;

  Bytes bytes() const {
    Bytes out{std::byte{flags}, std::byte{gso_type}};
    for (const std::uint16_t word : {hdr_len, gso_size, csum_start, csum_offset, num_buffers}) {
      out.push_back(static_cast<std::byte>(word));
      out.push_back(static_cast<std::byte>(word >> 8));
    }
    return out;
  }
  friend bool operator==(const RawHeader&, const RawHeader&) = default;
};

inline RawHeader read_header(const Bytes& bytes) {
  const auto word = [&](std::size_t at) {
    return static_cast<std::uint16_t>(std::to_integer<unsigned>(bytes.at(at)) |
                                      std::to_integer<unsigned>(bytes.at(at + 1)) << 8);
  };
  return {std::to_integer<std::uint8_t>(bytes.at(0)),
          std::to_integer<std::uint8_t>(bytes.at(1)),
          word(2),
          word(4),
          word(6),
          word(8),
          word(10)};
}

/// The header of a frame that is to be cut.
inline RawHeader gso_header(const TcpSpec& spec = {}, std::uint16_t gso_size = 1448) {
  const auto meta = tcp_gso(spec, gso_size);
  return {.flags = 1,
          .gso_type = static_cast<std::uint8_t>(spec.ipv6 ? 4 : 1),
          .hdr_len = meta.header_length,
          .gso_size = gso_size,
          .csum_start = meta.checksum_start,
          .csum_offset = 16};
}

/// Whoever sits at the far end of the wire.
struct Far final : net::FrameReceiver {
  void receive(net::FrameBatch batch) override {
    ++batches;
    for (const net::Frame& frame : batch)
      frames.emplace_back(bytes_of(frame), frame.meta());
  }
  void credit_available() override { ++credits; }
  net::Offloads offloads() const override { return net::kAllOffloads; }

  std::vector<std::pair<Bytes, net::FrameMeta>> frames;
  std::size_t batches = 0;
  std::size_t credits = 0;
};

struct BenchOptions {
  NetConfig config{.mac = kMac};
  std::size_t capacity = 256;  ///< of the wire, in frames
  net::Offloads offloads = net::kAllOffloads;
  std::size_t pool = net::FramePool::kDefaultCap;
  capsa::test::FakeDriverOptions driver{};
};

/// A card between a driver and a wire.
struct Bench {
  explicit Bench(BenchOptions options = {}, std::optional<std::uint64_t> features = kEverything)
      : pool(net::FramePool::create(options.pool)),
        wire(options.capacity, options.offloads),
        card(NetDevice::create(options.config, wire.a(), pool, [this] { ++later; }).value()),
        driver(card->identity(), options.driver) {
    wire.b().attach(&far);
    if (features) activate(*features);
  }

  void activate(std::uint64_t features) {
    driver.activate(*card, features);
    for (QueueIndex queue = 0; queue < card->identity().queue_sizes.size(); ++queue)
      card->process(queue);
    if (later > 0) go_on();
  }
  void go_on() {
    while (std::exchange(later, 0) > 0)
      card->process_more();
  }
  /// The guest sends a frame, in one buffer with its header, and the wire carries it.
  void send(const Bytes& frame, RawHeader header = {}, QueueIndex queue = 1) {
    Bytes both = header.bytes();
    both.insert(both.end(), frame.begin(), frame.end());
    driver.send_to(*card, queue, {both});
    go_on();
    wire.pump();
  }
  /// The guest gives `count` receive buffers.
  void give(std::size_t count, std::vector<std::size_t> pieces = {1536}, QueueIndex queue = 0) {
    for (std::size_t at = 0; at < count; ++at)
      driver.add(queue, {}, pieces);
    if (driver.publish(queue)) card->process(queue);
  }
  net::FrameBatch batch(const std::vector<Bytes>& frames, net::FrameMeta meta = {}) {
    net::FrameBatch made = far_pool->batch();
    for (const Bytes& frame : frames)
      made.push(make_frame(*far_pool, frame, meta));
    return made;
  }
  void receive(const std::vector<Bytes>& frames, net::FrameMeta meta = {}) {
    card->receive(batch(frames, meta));
  }
  /// What the next receive buffer holds.
  Bytes next(QueueIndex queue = 0) {
    const auto used = driver.pop_used(queue);
    return used ? used->data : Bytes{};
  }
  /// The frame behind a header.
  static Bytes frame_of(const Bytes& buffer) {
    return {buffer.begin() + std::min<std::ptrdiff_t>(12, std::ssize(buffer)), buffer.end()};
  }
  std::size_t signals(QueueIndex queue) { return driver.interrupt().take(queue); }

  std::shared_ptr<net::FramePool> pool;
  std::shared_ptr<net::FramePool> far_pool = net::FramePool::create();
  int later = 0;
  Far far;
  net::FramePair wire;
  std::unique_ptr<NetDevice> card;
  capsa::test::FakeDriver driver;
};

}  // namespace capsa::virtio::nic::test
