#pragma once

#include <backends/virtio/console/device.hpp>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <tests/support/fake_driver.hpp>
#include <utility>
#include <vector>

namespace capsa::virtio::console::test {

using capsa::test::Bytes;
using capsa::test::FakeDriver;
using capsa::test::FakeDriverOptions;
using capsa::test::to_bytes;
using capsa::test::to_text;

/// Counts news of configuration space, and leaves the rest to the driver's own interrupt.
class ConfigInterrupt final : public Interrupt {
 public:
  explicit ConfigInterrupt(Interrupt& queues) : queues_(queues) {}
  void signal(QueueIndex queue) override { queues_.signal(queue); }
  void config_changed() override { ++changes; }
  unsigned changes = 0;

 private:
  Interrupt& queues_;
};

/// A Host that writes down what it is told and takes what it is allowed to.
class RecordingHost final : public Host {
 public:
  std::size_t output(PortIndex port, std::span<const std::span<const std::byte>> pieces,
                     std::size_t total) override {
    ++calls;
    largest = std::max(largest, total);
    std::size_t took =
        std::min(total, std::exchange(allowance, allowance - std::min(allowance, total)));
    std::size_t left = took;
    std::size_t sum = 0;
    for (const auto piece : pieces) {
      const auto part = piece.first(std::min(piece.size(), left));
      text[port] += to_text(part);
      left -= part.size();
      sum += piece.size();
    }
    if (sum != total) note("pieces do not add up", port);
    if (on_output) on_output(port);
    return took;
  }
  void opened(PortIndex port, bool open) override { note(open ? "open" : "closed", port); }
  void input_room(PortIndex port) override {
    note("room", port);
    if (on_room) on_room(port);
  }
  void go_on_later() override { ++later; }

  std::string take() {
    std::string joined;
    for (const auto& event : std::exchange(events, {}))
      joined += (joined.empty() ? "" : "; ") + event;
    return joined;
  }

  std::size_t allowance = std::numeric_limits<std::size_t>::max();
  std::function<void(PortIndex)> on_output;
  std::function<void(PortIndex)> on_room;
  std::map<PortIndex, std::string> text;
  std::vector<std::string> events;
  std::size_t largest = 0;
  unsigned calls = 0;
  unsigned later = 0;

 private:
  void note(const std::string& what, PortIndex port) {
    events.push_back(what + " " + std::to_string(port));
  }
};

/// Host, device and a guest's driver.
struct Bench {
  explicit Bench(std::vector<PortSpec> ports = {PortSpec{}}, FakeDriverOptions options = {})
      : shared(ConsoleDevice::create(host, std::move(ports)).value()),
        device(*shared),
        driver(device.identity(), options),
        interrupt(driver.interrupt()) {}

  /// Activates as the transport does: a process() for each queue follows.
  void boot(std::uint64_t features = kFeatureSize) {
    auto activation = driver.activation(features);
    activation.interrupt = &interrupt;
    const std::size_t queues = activation.queues.size();
    device.activate(activation);
    for (std::size_t i = 0; i < queues; ++i)
      device.process(static_cast<QueueIndex>(i));
  }

  /// The guest writes to a port, and kicks where it should.
  void write(std::string_view text, PortIndex port = 0) {
    const auto queue = ConsoleDevice::transmit_queue(port);
    driver.add(queue, {to_bytes(text)}, {});
    if (driver.publish(queue)) device.process(queue);
  }
  /// How many chains of output came back.
  std::size_t reclaim(PortIndex port = 0) {
    std::size_t count = 0;
    while (driver.pop_used(ConsoleDevice::transmit_queue(port)))
      ++count;
    return count;
  }
  /// Buffers for input; kicks where it should.
  void give(std::size_t count, std::size_t size, PortIndex port = 0) {
    const auto queue = ConsoleDevice::receive_queue(port);
    for (std::size_t i = 0; i < count; ++i)
      driver.add(queue, {}, {size});
    if (driver.publish(queue)) device.process(queue);
  }
  /// What came in, buffers joined by "|".
  std::string read(PortIndex port = 0) {
    std::string joined;
    while (const auto used = driver.pop_used(ConsoleDevice::receive_queue(port)))
      joined += (joined.empty() ? "" : "|") + std::string(to_text(used->data));
    return joined;
  }
  std::size_t input(std::string_view text, PortIndex port = 0) {
    return device.input(port, to_bytes(text));
  }

  // -- the control queues
  void give_control(std::size_t count, std::size_t size = 4096) {
    for (std::size_t i = 0; i < count; ++i)
      driver.add(ConsoleDevice::kControlReceive, {}, {size});
    if (driver.publish(ConsoleDevice::kControlReceive))
      device.process(ConsoleDevice::kControlReceive);
  }
  void tell(Event event, std::uint16_t value = 1, PortIndex port = 0) {
    const auto raw = encode({port, event, value});
    driver.add(ConsoleDevice::kControlTransmit, {Bytes(raw.begin(), raw.end())}, {});
    if (driver.publish(ConsoleDevice::kControlTransmit))
      device.process(ConsoleDevice::kControlTransmit);
    while (driver.pop_used(ConsoleDevice::kControlTransmit)) {
    }
  }
  /// "ADD 0; OPEN 1=1; NAME 1 log; SIZE 0 80x25" of what the device told.
  std::string told() {
    std::string joined;
    while (const auto used = driver.pop_used(ConsoleDevice::kControlReceive)) {
      if (!joined.empty()) joined += "; ";
      if (used->data.size() < sizeof(Control)) {
        joined += "useless";
        continue;
      }
      std::array<std::byte, sizeof(Control)> raw;
      std::copy_n(used->data.begin(), raw.size(), raw.begin());
      const Control control = decode(raw);
      const auto rest = std::span<const std::byte>(used->data).subspan(raw.size());
      const std::string port = " " + std::to_string(control.port);
      switch (control.event) {
        case Event::PortAdd:
          joined += "ADD" + port;
          break;
        case Event::ConsolePort:
          joined += "CONSOLE" + port;
          break;
        case Event::PortName:
          joined += "NAME" + port + " " + std::string(to_text(rest));
          break;
        case Event::Resize:
          joined += "SIZE" + port + " " + std::to_string(word(rest, 0)) + "x" +
                    std::to_string(word(rest, 2));
          break;
        case Event::PortOpen:
          joined += "OPEN" + port + "=" + std::to_string(control.value);
          break;
        default:
          joined += "?";
          break;
      }
    }
    return joined;
  }

  static unsigned word(std::span<const std::byte> bytes, std::size_t at) {
    return at + 2 > bytes.size() ? 0
                                 : std::to_integer<unsigned>(bytes[at]) |
                                       std::to_integer<unsigned>(bytes[at + 1]) << 8;
  }

  RecordingHost host;
  std::shared_ptr<ConsoleDevice> shared;
  ConsoleDevice& device;
  FakeDriver driver;
  ConfigInterrupt interrupt;
};

}  // namespace capsa::virtio::console::test
