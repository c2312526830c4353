// Hostile guests and restless owners around one switch. The input is a script: ports that come and
// go, batches of any frames with any metadata, time that passes, cables that are pulled; besides,
// frames are cut and given another MSS. What must hold whatever happens is checked after
// every step.
#include <cstdlib>
#include <net/gso/mss.hpp>
#include <net/gso/segmenter.hpp>
#include <net/offload.hpp>
#include <net/switch/switch.hpp>
#include <tests/support/fuzz_input.hpp>
#include <vector>

namespace {

using namespace capsa;  // NOLINT: this is a program

constexpr std::size_t kCopyBytes = 300'000;

void require(bool condition) {
  if (!condition) std::abort();
}

class Sink final : public net::Egress {
 public:
  std::size_t credit() const override { return room; }
  void send(net::FrameBatch& batch) override {
    require(!batch.empty());
    for (net::Frame& frame : batch) {
      require(static_cast<bool>(frame) && takes.accepts(frame.meta()));
      require(frame.size() >= net::kMinFrame && frame.size() <= net::kMaxFrame);
    }
    batch.drop_front(std::min(room, batch.size()));
  }
  net::Offloads offloads() const override { return takes; }

  std::size_t room = 0;
  net::Offloads takes;
};

class Play final : public net::Filter {
 public:
  explicit Play(test::FuzzInput& input)
      : input_(input),
        options_(input.take<std::uint8_t>()),
        net_({.unknown_unicast = (options_ & 1) != 0 ? net::SwitchOptions::UnknownUnicast::Everyone
                                                     : net::SwitchOptions::UnknownUnicast::Uplinks,
              .copy_bytes = kCopyBytes}) {}

  void step() {
    const auto what = input_.take<std::uint8_t>();
    const std::size_t port = what / 16 % kPorts;
    switch (what % 8) {
      case 0:
        add(port);
        break;
      case 1:
        net_.remove_port(ids_[port]);
        break;
      case 2:
        now_ += std::chrono::milliseconds(input_.take<std::uint16_t>());
        break;
      case 3:
        net_.set_link(ids_[port], (what & 8) != 0);
        break;
      case 4:
        handle();
        break;
      default:
        net_.forward(ids_[port], batch(), now_);
        break;
    }
    require(net_.ports() <= kPorts);
    require(net_.stations() <= kPorts * net::MacTable::kMaxOfPort);
    require(pool_->stats().bytes_in_use == 0);
  }

  net::FilterVerdict on_ingress(net::Frame& frame, Time) override { return judge(frame); }
  net::FilterVerdict on_egress(net::Frame& frame, Time) override { return judge(frame); }

 private:
  static constexpr std::size_t kPorts = 6;

  static net::MacAddress mac(std::uint8_t number) {
    return number == 0xff ? net::MacAddress::broadcast() : net::MacAddress({2, 0, 0, 0, 0, number});
  }

  net::FilterVerdict judge(net::Frame& frame) {
    switch (input_.take<std::uint8_t>()) {
      case 1:
        return net::FilterVerdict::Drop;
      case 2:
        return net::FilterVerdict::Answer;
      case 3:
        frame = net::Frame();
        return net::FilterVerdict::Pass;
      default:
        return net::FilterVerdict::Pass;
    }
  }

  void add(std::size_t port) {
    net_.remove_port(ids_[port]);
    const auto how = input_.take<std::uint8_t>();
    sinks_[port].room = input_.take<std::uint8_t>();
    sinks_[port].takes = (how & 1) != 0   ? net::kAllOffloads
                         : (how & 2) != 0 ? net::Offloads{.checksum = true, .tso4 = true}
                                          : net::Offloads{};
    net::PortOptions options{.uplink = (how & 8) != 0, .isolated = (how & 16) != 0};
    if ((how & 4) != 0) options.locked_mac = mac(input_.take<std::uint8_t>());
    if ((how & 32) != 0) options.filter = this;
    if ((how & 64) != 0) options.flood_limit = {.per_second = 3, .burst = 2};
    const auto added = net_.add_port(sinks_[port], options);
    ids_[port] = added ? *added : net::PortId();
  }

  /// Often a TCP segment that fits its metadata.
  net::Frame frame() {
    const auto how = input_.take<std::uint8_t>();
    const std::size_t size =
        net::kMinFrame + input_.take<std::uint16_t>() % ((how & 1) != 0 ? 65'536U : 200U);
    net::Frame made = pool_->make(size);
    if (!made) return made;
    const auto bytes = made.bytes();
    std::fill(bytes.begin(), bytes.end(), std::byte{1});
    const auto head = input_.bytes(input_.take<std::uint8_t>() % 80);
    std::copy_n(head.begin(), std::min(head.size(), size), bytes.begin());
    const auto to = mac(input_.take<std::uint8_t>()), from = mac(input_.take<std::uint8_t>());
    for (std::size_t at = 0; at < 6 && (how & 2) == 0; ++at) {
      bytes[at] = std::byte{to.bytes()[at]};
      bytes[6 + at] = std::byte{from.bytes()[at]};
    }
    const bool ipv6 = (how & 4) != 0;
    const std::size_t start = ipv6 ? 54 : 34;
    if ((how & 8) != 0 && size >= 80) {
      bytes[12] = std::byte(ipv6 ? 0x86 : 0x08);
      bytes[13] = std::byte(ipv6 ? 0xdd : 0);
      bytes[14] = std::byte(ipv6 ? 0x60 : 0x45);
      bytes[ipv6 ? 20 : 23] = std::byte{6};
      if (!ipv6) bytes[20] = bytes[21] = std::byte{0};
    }
    net::FrameMeta& meta = made.meta();
    meta.needs_checksum = (how & 16) != 0;
    meta.checksum_start = static_cast<std::uint16_t>(start);
    meta.checksum_offset = 16;
    meta.gso = (how & 32) == 0 ? net::Gso::None : ipv6 ? net::Gso::TcpV6 : net::Gso::TcpV4;
    meta.gso_size = static_cast<std::uint16_t>(input_.take<std::uint16_t>() % 2000);
    meta.ecn = (how & 64) != 0;
    if ((how & 128) != 0) meta.checksum_start = input_.take<std::uint16_t>();
    return made;
  }

  net::FrameBatch batch() {
    net::FrameBatch batch = pool_->batch();
    for (int count = input_.take<std::uint8_t>() % 8; count >= 0; --count)
      batch.push(frame());
    return batch;
  }

  /// Segments of a frame are as many as were promised, and frames.
  void handle() {
    net::Frame whole = frame();
    if (!whole) return;
    net::gso::set_mss(whole, input_.take<std::uint16_t>());
    net::gso::Segmenter segments(whole, net::gso::Segmenter::Checksum::Complete);
    for (std::size_t left = segments.left(); left > 0; --left) {
      const net::Frame segment = segments.next(*pool_);
      require(segments.left() == left - 1);
      require(!segment || (segment.size() >= net::kMinFrame && segment.size() <= whole.size()));
    }
  }

  test::FuzzInput& input_;
  std::uint8_t options_;
  Time now_{};
  std::shared_ptr<net::FramePool> pool_ = net::FramePool::create();
  std::array<Sink, kPorts> sinks_;
  net::Switch net_;
  std::array<net::PortId, kPorts> ids_{};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  test::FuzzInput input(data, size);
  Play play(input);
  while (!input.empty())
    play.step();
  return 0;
}
