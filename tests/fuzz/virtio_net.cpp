// A hostile driver and a restless neighbour around one network card. The input is a script: frames
// with any header, receive buffers of any size, broken rings, control commands, reboots, pauses,
// and frames with any metadata from the other side. What must hold whatever happens is checked
// after every step.
#include <backends/virtio/net/device.hpp>
#include <cstdlib>
#include <exception>
#include <net/frame_pair.hpp>
#include <net/layers.hpp>
#include <net/offload.hpp>
#include <tests/support/fake_driver.hpp>
#include <tests/support/fuzz_input.hpp>

namespace {

using namespace capsa;               // NOLINT: this is a program
using namespace capsa::virtio::nic;  // NOLINT

constexpr std::size_t kPoolCap = 300'000;
constexpr std::size_t kBacklog = 6;

void require(bool condition) {
  if (!condition) std::abort();
}

class Neighbour final : public net::FrameReceiver {
 public:
  void receive(net::FrameBatch batch) override {
    for (net::Frame& frame : batch) {
      if (!frame) continue;
      require(frame.size() >= net::kMinFrame && frame.size() <= net::kMaxFrame);
      net::FrameMeta meta = frame.meta();
      require(!meta.checksum_valid);
      require(net::check_offload(frame.bytes(), meta) && meta == frame.meta());
      if (meta.gso != net::Gso::None) require(meta.header_length < frame.size());
    }
  }
  void credit_available() override {}
  net::Offloads offloads() const override { return net::kAllOffloads; }
};

class Play {
 public:
  explicit Play(test::FuzzInput& input)
      : input_(input),
        options_(input.take<std::uint8_t>()),
        wire_(1 + input.take<std::uint8_t>() % 8,
              (options_ & 2) != 0 ? net::kAllOffloads : net::Offloads{}),
        card_(NetDevice::create({.mac = {2, 0, 0, 0, 0, 1},
                                 .mtu = static_cast<std::uint16_t>((options_ & 4) != 0 ? 1500 : 0),
                                 .queue_pairs = kPairs,
                                 .queue_size = 32,
                                 .backlog = kBacklog},
                                wire_.a(), pool_, [this] { ++later_; })
                  .value()),
        driver_(card_->identity(), {.memory_mib = 2, .event_idx = (options_ & 1) != 0}) {
    wire_.b().attach(&neighbour_);
    activate();
  }

  void step() {
    const auto what = input_.take<std::uint8_t>();
    switch (what % 16) {
      case 0:
      case 1:
      case 2:
      case 3:
        send(what / 16 % 2);
        break;
      case 4:
      case 5:
        give(what / 16 % 2);
        break;
      case 6:
      case 7:
        receive();
        break;
      case 8:
        take_back();
        break;
      case 9:
        wire_.pump();
        break;
      case 10:
        command();
        break;
      case 11:
        corrupt();
        break;
      case 12:
        card_->process(what / 16);
        break;
      case 13:
        card_->set_link((what & 16) != 0);
        break;
      case 14:
        if (later_ > 0) {
          later_ = 0;
          card_->process_more();
        }
        break;
      default:
        restart((what & 16) != 0);
        break;
    }
    require(card_->waiting() <= kBacklog * kPairs);
    require(card_->queue_pairs() >= 1 && card_->queue_pairs() <= kPairs);
    require(pool_->stats().bytes_held <= kPoolCap);
  }

 private:
  static constexpr std::uint16_t kPairs = 2;
  static constexpr virtio::QueueIndex kControl = 4;

  void activate() {
    driver_.activate(*card_,
                     card_->identity().features & ~std::uint64_t{input_.take<std::uint32_t>()});
    for (virtio::QueueIndex queue = 0; queue <= kControl; ++queue)
      card_->process(queue);
  }

  /// Bytes that are a TCP segment more often than chance has it.
  test::Bytes frame(std::size_t size) {
    const auto head = input_.bytes(input_.take<std::uint8_t>() % 80);
    test::Bytes bytes(head.begin(), head.end());
    bytes.resize(size);
    const auto how = input_.take<std::uint8_t>();
    if (how % 4 == 0 || size < 80) return bytes;
    const bool ipv6 = how % 4 == 1;
    const std::size_t start = ipv6 ? 54 : 34;
    bytes[12] = std::byte(ipv6 ? 0x86 : 0x08);
    bytes[13] = std::byte(ipv6 ? 0xdd : 0);
    bytes[14] = std::byte(ipv6 ? 0x60 : 0x45);
    bytes[20] = std::byte(ipv6 ? 6 : 0);
    bytes[ipv6 ? 24 : 21] = std::byte{0};
    if (!ipv6) bytes[23] = std::byte{6};
    bytes[start + 12] = std::byte{0x50};
    return bytes;
  }
  std::size_t size() {
    const auto most = (input_.take<std::uint8_t>() & 1) != 0 ? 70'000U : 2'000U;
    return input_.take<std::uint16_t>() * std::size_t{2} % most;
  }
  net::FrameMeta meta() {
    net::FrameMeta meta;
    const auto how = input_.take<std::uint8_t>();
    meta.needs_checksum = (how & 1) != 0;
    meta.checksum_start = (how & 2) != 0 ? 34 : (how & 4) != 0 ? 54 : input_.take<std::uint16_t>();
    meta.checksum_offset = (how & 8) != 0 ? 16 : input_.take<std::uint16_t>();
    meta.gso = static_cast<net::Gso>((how >> 4) % 3);
    meta.gso_size = static_cast<std::uint16_t>(1 + input_.take<std::uint16_t>() % 2000);
    meta.header_length = 54;
    meta.ecn = (how & 0x80) != 0;
    return meta;
  }

  void send(unsigned pair) {
    const auto queue = static_cast<virtio::QueueIndex>(2 * pair + 1);
    const auto header = encode_header(meta(), 0);
    test::Bytes raw(header.begin(), header.end());
    if (input_.take<std::uint8_t>() % 8 == 0) {
      const auto any = input_.bytes(raw.size());
      std::copy(any.begin(), any.end(), raw.begin());
    }
    const test::Bytes body = frame(size());
    raw.insert(raw.end(), body.begin(), body.end());
    const std::size_t cut = input_.take<std::uint8_t>() % raw.size();
    const auto middle = raw.begin() + static_cast<std::ptrdiff_t>(cut);
    if (driver_.free_descriptors(queue) < 2) return;
    driver_.add(queue, {test::Bytes(raw.begin(), middle), test::Bytes(middle, raw.end())}, {});
    publish(queue);
  }

  void give(unsigned pair) {
    const auto queue = static_cast<virtio::QueueIndex>(2 * pair);
    const std::size_t room = size();
    for (int count = input_.take<std::uint8_t>() % 8;
         count >= 0 && driver_.free_descriptors(queue) >= 2; --count)
      driver_.add(queue, {}, {room / 3, room - room / 3});
    publish(queue);
  }

  void receive() {
    net::FrameBatch batch = far_pool_->batch();
    for (int count = input_.take<std::uint8_t>() % 4; count >= 0; --count) {
      const test::Bytes bytes = frame(size());
      net::Frame made = far_pool_->make(bytes.size());
      if (!made) continue;
      std::copy(bytes.begin(), bytes.end(), made.bytes().begin());
      made.meta() = meta();
      batch.push(std::move(made));
    }
    card_->receive(std::move(batch));
    require(far_pool_->stats().bytes_in_use == 0);
  }

  void command() {
    if (driver_.free_descriptors(kControl) < 2) return;
    const auto bytes = input_.bytes(input_.take<std::uint8_t>() % 6);
    test::Bytes command(bytes.begin(), bytes.end());
    if (command.size() == 5) command = {std::byte{4}, std::byte{0}, command[2], std::byte{0}};
    driver_.add(kControl, {command}, {input_.take<std::uint8_t>() % 3U});
    publish(kControl);
  }

  void take_back() {
    for (virtio::QueueIndex queue = 0; queue <= kControl; ++queue)
      while (driver_.pop_used(queue)) {
      }
  }

  void corrupt() {
    const auto queue = static_cast<virtio::QueueIndex>(input_.take<std::uint8_t>() % 5);
    switch (input_.take<std::uint8_t>() % 3) {
      case 0:
        driver_.raw_descriptor(queue, input_.take<std::uint8_t>() % 4,
                               {driver_.options().guest_address + input_.take<std::uint32_t>(),
                                input_.take<std::uint32_t>(), input_.take<std::uint8_t>(),
                                input_.take<std::uint8_t>()});
        break;
      case 1:
        driver_.raw_add(queue, input_.take<std::uint8_t>());
        break;
      default:
        driver_.raw_available_index(queue, input_.take<std::uint16_t>());
        break;
    }
    card_->process(queue);
  }

  void restart(bool forget) {
    const auto done = [] {};
    if (forget) {
      card_->reset(done);
      require(card_->waiting() == 0);
    } else {
      card_->suspend(done);
      if (input_.take<std::uint8_t>() % 2 == 0) receive();
    }
    require(!card_->active());
    activate();
  }

  void publish(virtio::QueueIndex queue) {
    const bool wanted = driver_.publish(queue);
    if (wanted || input_.take<std::uint8_t>() % 16 == 0) card_->process(queue);
  }

  test::FuzzInput& input_;
  std::uint8_t options_;
  int later_ = 0;
  Neighbour neighbour_;
  std::shared_ptr<net::FramePool> pool_ = net::FramePool::create(kPoolCap);
  std::shared_ptr<net::FramePool> far_pool_ = net::FramePool::create();
  net::FramePair wire_;
  std::unique_ptr<NetDevice> card_;
  test::FakeDriver driver_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  test::FuzzInput input(data, size);
  try {
    Play play(input);
    while (!input.empty())
      play.step();
  } catch (const std::exception&) {
    // The fake driver refuses what it cannot do itself: no descriptors, no memory.
  }
  return 0;
}
