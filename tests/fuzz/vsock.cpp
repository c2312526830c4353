// A hostile driver and a restless host around one vsock device. The input is a script: packets well
// and badly formed, rx buffers of any size, broken rings, reboots, and every call of the host side,
// also from inside callbacks. What must hold whatever happens is checked after every step.
#include <algorithm>
#include <backends/virtio/vsock/device.hpp>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <tests/support/fake_driver.hpp>

namespace {

using namespace capsa;         // NOLINT: this is a program
using namespace capsa::vsock;  // NOLINT

constexpr std::uint64_t kCid = 3;
constexpr VsockLimits kLimits{
    .max_connections = 6, .receive_buffer = 5000, .send_queue = 3000, .max_pending_resets = 5};

void require(bool condition, int line = __builtin_LINE()) {
  if (condition) return;
  std::fprintf(stderr, "line %d does not hold\n", line);
  std::abort();
}

class Script {
 public:
  Script(const std::uint8_t* data, std::size_t size) : bytes_(data, size) {}
  bool empty() const { return at_ == bytes_.size(); }
  std::uint8_t byte() { return empty() ? 0 : bytes_[at_++]; }
  std::uint32_t word() { return byte() | byte() << 8 | byte() << 16 | std::uint32_t{byte()} << 24; }
  /// Small mostly, and now and then anything.
  std::uint32_t number() {
    const std::uint8_t first = byte();
    return first < 0xf0 ? first : word();
  }
  std::size_t size() { return std::size_t{byte()} * byte() % 9000; }

 private:
  std::span<const std::uint8_t> bytes_;
  std::size_t at_ = 0;
};

class RestlessHost final : public Host {
 public:
  explicit RestlessHost(Script& script) : script_(script) {}

  bool accept(ConnectionKey key) override {
    require(!live.contains(key) && live.size() < kLimits.max_connections);
    if (script_.byte() % 8 == 0) return false;
    live[key];
    return true;
  }
  void connected(ConnectionKey key) override {
    require(live.contains(key));
    meddle(key);
  }
  void data(ConnectionKey key, std::span<const std::span<const std::byte>> pieces,
            std::size_t total) override {
    require(live.contains(key) && total > 0);
    std::size_t sum = 0;
    for (const auto piece : pieces) {
      sum += piece.size();
      for (const auto byte : piece)
        sink_ = sink_ ^ std::to_integer<unsigned>(byte);
    }
    require(sum == total);
    live[key].held += total;
    require(live[key].held <= kLimits.receive_buffer);
    meddle(key);
  }
  void writable(ConnectionKey key, std::size_t room) override {
    require(live.contains(key) && room > 0);
    const auto size = script_.size();
    const auto taken = device->send(key, std::vector<std::byte>(size));
    require(taken >= std::min(room, size));
  }
  void shutdown(ConnectionKey key, bool no_more_receive, bool no_more_send) override {
    require(live.contains(key) && (no_more_receive != no_more_send));
    meddle(key);
  }
  void closed(ConnectionKey key, CloseReason) override {
    require(live.erase(key) == 1);
    meddle(key);
  }

  /// One call of the host side, on `near` or on any other connection.
  void meddle(ConnectionKey near) {
    if (++depth_ > 3) {
      --depth_;
      return;
    }
    const std::uint8_t what = script_.byte();
    ConnectionKey key = near;
    if ((what & 0x80) != 0 && !live.empty()) {
      auto at = live.begin();
      std::advance(at, script_.byte() % live.size());
      key = at->first;
    }
    switch (what & 7) {
      case 0:
      case 1: {
        const auto size = script_.size();
        require(device->send(key, std::vector<std::byte>(size)) <= size);
        break;
      }
      case 2:
      case 3: {
        const auto found = live.find(key);
        const std::size_t count = found == live.end() ? 1 : found->second.held;
        if (found != live.end()) found->second.held = 0;
        device->consumed(key, count);
        break;
      }
      case 4: {
        const auto flags = script_.byte();
        if (device->shutdown(key, flags & 1, flags & 2)) live.erase(key);
        break;
      }
      case 5:
        device->reset(key);
        live.erase(key);
        break;
      case 6: {
        const auto fresh = device->connect(script_.byte() % 4);
        if (fresh.ok()) live[*fresh];
        break;
      }
      default:
        break;
    }
    --depth_;
  }

  struct State {
    std::size_t held = 0;
  };
  VsockDevice* device = nullptr;
  std::map<ConnectionKey, State> live;

 private:
  Script& script_;
  int depth_ = 0;
  volatile unsigned sink_ = 0;
};

class HostileDriver {
 public:
  HostileDriver(Script& script, VsockDevice& device, bool event_idx)
      : script_(script),
        device_(device),
        driver_({64, 64, 4}, {.memory_mib = 2, .event_idx = event_idx, .indirect = false}) {}

  void activate() { driver_.activate(device_, 0, script_.byte() % 4 == 0 ? 2 : 3); }

  void send_packet() {
    Header header;
    const std::uint8_t how = script_.byte();
    header.src_cid = how == 1 ? script_.word() : kCid;
    header.dst_cid = how == 2 ? script_.word() : kHostCid;
    header.type = how == 3 ? static_cast<std::uint16_t>(script_.word()) : kTypeStream;
    header.op = static_cast<Op>(how == 4 ? script_.word() : script_.byte() % 9);
    header.src_port = script_.byte() % 4;
    const std::uint8_t port = script_.byte();
    header.dst_port = port % 2 == 0 ? port % 8 : VsockDevice::kFirstEphemeralPort + port % 8;
    header.flags = script_.byte() % 4;
    header.buf_alloc = script_.number() * 16;
    header.fwd_cnt = script_.number() * 16;
    const std::size_t payload = header.op == Op::ReadWrite ? script_.size() : 0;
    header.len = how == 5 ? script_.word() : static_cast<std::uint32_t>(payload);
    const auto raw = encode(header);
    test::Bytes packet(how == 6 ? script_.byte() % std::size_t{60} : raw.size() + payload);
    std::copy_n(raw.begin(), std::min(raw.size(), packet.size()), packet.begin());
    const std::size_t cut = script_.byte() % (packet.size() + 1);
    const auto middle = packet.begin() + static_cast<std::ptrdiff_t>(cut);
    if (driver_.free_descriptors(1) < 2) return;
    driver_.add(1, {test::Bytes(packet.begin(), middle), test::Bytes(middle, packet.end())}, {});
    publish(1);
  }

  void give_buffers() {
    const std::size_t size = script_.size();
    for (int count = script_.byte() % 8; count >= 0 && driver_.free_descriptors(0) >= 2; --count)
      driver_.add(0, {}, {size / 2, size - size / 2});
    publish(0);
  }

  void give_event_buffer() {
    if (driver_.free_descriptors(2) > 0) driver_.add(2, {}, {script_.byte() % 8U});
    publish(2);
  }

  void take_back() {
    while (driver_.pop_used(1)) {
    }
    while (const auto used = driver_.pop_used(0)) {
      if (used->data.empty() || !sound_) continue;  // was of no use
      require(used->data.size() >= kHeaderSize);
      const auto header = decode(std::span<const std::byte>(used->data).first<kHeaderSize>());
      require(header.src_cid == kHostCid && header.dst_cid == kCid);
      require(header.len == used->data.size() - kHeaderSize);
      require(header.op >= Op::Request && header.op <= Op::CreditRequest);
    }
  }

  void corrupt() {
    sound_ = false;
    const auto queue = static_cast<virtio::QueueIndex>(script_.byte() % 3);
    switch (script_.byte() % 3) {
      case 0:
        driver_.raw_descriptor(queue, script_.byte() % 4,
                               {driver_.options().guest_address + script_.word(), script_.word(),
                                static_cast<std::uint16_t>(script_.byte()), script_.byte()});
        break;
      case 1:
        driver_.raw_add(queue, script_.byte());
        break;
      default:
        driver_.raw_available_index(queue, static_cast<std::uint16_t>(script_.word()));
        break;
    }
    device_.process(queue);
  }

 private:
  void publish(virtio::QueueIndex queue) {
    const bool wanted = driver_.publish(queue);
    if (wanted || script_.byte() % 16 == 0) device_.process(queue);
  }

  Script& script_;
  VsockDevice& device_;
  test::FakeDriver driver_;
  // Every buffer is where the driver believes it to be, there alone, and was given once.
  bool sound_ = true;
};

void play(Script& script) {
  RestlessHost host(script);
  VsockDevice device(kCid, host, kLimits);
  host.device = &device;
  const std::uint8_t options = script.byte();
  HostileDriver driver(script, device, (options & 1) != 0);
  driver.activate();
  while (!script.empty()) {
    switch (script.byte() % 16) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4:
        driver.send_packet();
        break;
      case 5:
      case 6:
        driver.give_buffers();
        break;
      case 7:
      case 8:
        driver.take_back();
        break;
      case 9:
      case 10:
      case 11:
        host.meddle({script.byte() % 8U, script.byte() % 4U});
        break;
      case 12:
        driver.corrupt();
        break;
      case 13:
        device.process(script.byte() % 4);
        break;
      case 14:
        driver.give_event_buffer();
        break;
      default:
        if (script.byte() % 2 == 0) {
          device.transport_reset();
        } else {
          device.reset([] {});
          require(host.live.empty());
          driver.activate();
        }
        break;
    }
    require(device.connections() == host.live.size());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  Script script(data, size);
  try {
    play(script);
  } catch (const std::exception&) {
    // The fake driver refuses what it cannot do itself: no descriptors, no memory.
  }
  return 0;
}
