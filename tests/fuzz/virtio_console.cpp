// A hostile driver and a restless host around one console of one to four ports: output, buffers and
// control messages of any shape, broken rings, kicks at any time, suspends and resets, and every
// call of the host side, also from inside callbacks. The input is a script.
#include <algorithm>
#include <array>
#include <backends/virtio/console/device.hpp>
#include <cstdlib>
#include <exception>
#include <tests/support/fake_driver.hpp>
#include <tests/support/fuzz_input.hpp>
#include <vector>

using namespace capsa;
using namespace capsa::virtio::console;
using test::FuzzInput;
using virtio::QueueIndex;

namespace {

constexpr std::size_t kPorts = 4;

void require(bool condition) {
  if (!condition) std::abort();
}

class RestlessHost final : public Host {
 public:
  explicit RestlessHost(FuzzInput& input) : input_(input) {}

  std::size_t output(PortIndex port, std::span<const std::span<const std::byte>> pieces,
                     std::size_t total) override {
    require(port < device->ports() && total > 0);
    require(!closed[port] && !stalled[port] && !inside_[port]);
    std::size_t sum = 0;
    for (const auto piece : pieces) {
      require(!piece.empty());
      sum += piece.size();
      sink_ = sink_ ^ std::to_integer<unsigned>(piece[piece.size() / 2]);
    }
    require(sum == total);
    inside_[port] = true;
    meddle();
    inside_[port] = false;
    if (closed[port]) return 0;
    const auto how = input_.take<std::uint8_t>();
    if (how % 4 != 0) return total;
    const std::size_t took = std::min<std::size_t>(total, how / 4);
    stalled[port] = took < total;
    return took;
  }
  void opened(PortIndex port, bool open) override {
    require(port < device->ports() && guest_open[port] != open);
    guest_open[port] = open;
    if (device->active()) meddle();
  }
  void input_room(PortIndex port) override {
    require(wants_room[port] && guest_open[port]);
    wants_room[port] = false;
    if (input_.take<std::uint8_t>() % 2 == 0) say(port);
  }
  void go_on_later() override { later = true; }

  void say(PortIndex port) {
    const std::vector<std::byte> bytes(input_.take<std::uint8_t>(), std::byte{'x'});
    const std::size_t took = device->input(port, bytes);
    require(took <= bytes.size());
    require(took == 0 || guest_open[port]);
    if (port < kPorts) wants_room[port] = took < bytes.size();
  }

  /// Any call of the host side, for any port.
  void meddle() {
    if (++depth_ < 4) {
      const PortIndex port = input_.take<std::uint8_t>() % device->ports();
      switch (input_.take<std::uint8_t>() % 8) {
        case 0:
        case 1:
          say(port);
          break;
        case 2:
          stalled[port] = false;
          device->resume_output(port);
          break;
        case 3:
          device->resize(port, input_.take<std::uint8_t>(), input_.take<std::uint8_t>());
          break;
        case 4:
          closed[port] = true;
          stalled[port] = false;
          device->close(port);
          break;
        case 5:
          closed[port] = false;
          device->open(port);
          break;
        default:
          break;
      }
    }
    --depth_;
  }

  ConsoleDevice* device = nullptr;
  std::array<bool, kPorts> guest_open{}, wants_room{}, stalled{}, closed{};
  bool later = false;

 private:
  FuzzInput& input_;
  std::array<bool, kPorts> inside_{};
  unsigned depth_ = 0;
  volatile unsigned sink_ = 0;
};

void control(FuzzInput& input, test::FakeDriver& driver, ConsoleDevice& device) {
  Control message{.port = input.take<std::uint8_t>() % 5U,
                  .event = static_cast<Event>(input.take<std::uint8_t>() % 9),
                  .value = static_cast<std::uint16_t>(input.take<std::uint8_t>() % 4 != 0)};
  if (message.port == 4) message.port = input.take<std::uint32_t>();
  const auto raw = encode(message);
  test::Bytes bytes(raw.begin(), raw.end());
  if (input.take<std::uint8_t>() % 16 == 0) bytes.resize(input.take<std::uint8_t>() % 12);
  driver.add(ConsoleDevice::kControlTransmit, {bytes}, {});
  if (driver.publish(ConsoleDevice::kControlTransmit))
    device.process(ConsoleDevice::kControlTransmit);
}

void play(FuzzInput& input) {
  const auto options = input.take<std::uint8_t>();
  RestlessHost host(input);
  std::vector<PortSpec> ports(1 + options % kPorts);
  if (ports.size() > 1) ports[1] = {"a name", false};
  const auto shared = ConsoleDevice::create(host, ports).value();
  ConsoleDevice& device = *shared;
  host.device = &device;
  test::FakeDriver driver(
      device.identity(),
      {.memory_mib = 2, .event_idx = (options & 4) != 0, .indirect = (options & 8) != 0});
  const std::uint64_t features = (options & 16) == 0 ? kFeatureMultiport : 0;
  const auto queues = static_cast<std::uint8_t>(device.identity().queue_sizes.size());
  const auto activate = [&](std::size_t count) {
    driver.activate(device, features, std::min<std::size_t>(queues, count));
    for (QueueIndex queue = 0; queue < queues; ++queue)
      if ((options & 64) == 0) device.process(queue);
  };
  if ((options & 32) == 0) activate(queues);
  while (!input.empty()) {
    const auto what = input.take<std::uint8_t>() % 12;
    const auto queue = static_cast<QueueIndex>(input.take<std::uint8_t>() % queues);
    const bool receives = queue == 0 || (queue >= 2 && queue % 2 == 0);
    switch (what) {
      case 0:
      case 1:
      case 2: {  // well formed
        const std::size_t size =
            std::size_t{input.take<std::uint8_t>()} * input.take<std::uint8_t>();
        if (receives) {
          driver.add(queue, {}, {size / 2, size - size / 2});
        } else {
          driver.add(queue, {test::Bytes(size / 3), test::Bytes(size - size / 3)}, {});
        }
        if (driver.publish(queue)) device.process(queue);
        break;
      }
      case 3:
        if (queues > ConsoleDevice::kControlTransmit) control(input, driver, device);
        break;
      case 4:
        while (const auto used = driver.pop_used(queue))
          require(receives || used->written == 0);
        break;
      case 5:
        for (int count = input.take<std::uint8_t>() % 4; count >= 0; --count)
          driver.raw_descriptor(
              queue, input.take<std::uint8_t>() % 32,
              {driver.options().guest_address + input.take<std::uint32_t>() % (4U << 20),
               input.take<std::uint32_t>() >> input.take<std::uint8_t>() % 32,
               static_cast<std::uint16_t>(input.take<std::uint8_t>() % 8),
               static_cast<std::uint16_t>(input.take<std::uint8_t>() % 33)});
        driver.raw_add(queue, input.take<std::uint8_t>() % 33);
        if (driver.publish(queue)) device.process(queue);
        break;
      case 6:
        driver.raw_available_index(queue, input.take<std::uint16_t>());
        break;
      case 7:
        device.process(input.take<std::uint8_t>() % 16);
        break;
      case 8:
        if (!std::exchange(host.later, false) && input.take<std::uint8_t>() % 2 == 0) break;
        device.process_more();
        break;
      case 9:
        host.meddle();
        break;
      case 10: {
        std::vector<std::byte> config(input.take<std::uint8_t>() % 32);
        const auto offset = input.take<std::uint8_t>() % 16;
        device.write_config(offset, input.bytes(config.size()));
        device.read_config(offset, config);
        break;
      }
      default: {
        bool done = false;
        if (input.take<std::uint8_t>() % 2 == 0) {
          device.reset([&done] { done = true; });
          require(std::none_of(host.guest_open.begin(), host.guest_open.end(),
                               [](bool open) { return open; }));
        } else {
          device.suspend([&done] { done = true; });
        }
        require(done && !device.active());
        const auto count = input.take<std::uint8_t>() % 16;
        if (count != 15) activate(count % 4 == 0 ? count / 2U : queues);
        break;
      }
    }
    for (PortIndex port = 0; port < device.ports(); ++port)
      require(device.guest_open(port) == host.guest_open[port]);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FuzzInput input(data, size);
  try {
    play(input);
  } catch (const std::exception&) {
    // The fake driver refuses what it cannot do itself: no descriptors, no memory.
  }
  return 0;
}
