#pragma once

#include <sys/stat.h>

#include <backends/virtio/balloon/device.hpp>
#include <boost/test/unit_test.hpp>
#include <tests/support/fake_driver.hpp>
#include <utility>
#include <vector>

namespace capsa::virtio::balloon::test {

using capsa::test::Bytes;
using capsa::test::FakeDriver;
using capsa::test::FakeDriverOptions;

inline constexpr std::uint64_t kPage = BalloonDevice::kPageSize;

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

/// A device and its guest, of 16 MiB unless said otherwise.
struct Bench {
  explicit Bench(BalloonOptions options = {}, FakeDriverOptions driver_options = {})
      : device([this] { ++later; }, options),
        driver(device.identity(), driver_options),
        interrupt(driver.interrupt()) {}

  /// Activates as the transport does: a process() for each queue follows.
  void boot(std::uint64_t features = kFeatureReporting) {
    auto activation = driver.activation(features);
    activation.interrupt = &interrupt;
    const std::size_t queues = activation.queues.size();
    device.activate(activation);
    for (std::size_t i = 0; i < queues; ++i)
      device.process(static_cast<QueueIndex>(i));
  }

  static Bytes numbers(const std::vector<PageNumber>& pages) {
    const auto bytes = std::as_bytes(std::span(pages));
    return {bytes.begin(), bytes.end()};
  }
  void name(QueueIndex queue, const std::vector<PageNumber>& pages) {
    driver.add(queue, {numbers(pages)}, {});
    kick(queue);
  }
  void kick(QueueIndex queue) {
    if (driver.publish(queue)) device.process(queue);
  }

  /// Page-aligned memory of the guest that nothing else uses, written to.
  memory::GuestAddress touched(std::uint64_t pages) {
    const auto address = driver.allocator().allocate(pages * kPage, kPage);
    BOOST_REQUIRE(driver.memory()->write(address, Bytes(pages * kPage, std::byte{0x77})));
    return address;
  }
  /// A chain of one writable buffer anywhere.
  void report(memory::GuestAddress address, std::uint32_t length) {
    driver.raw_descriptor(2, 0, {address, length, capsa::test::kRawWrite, 0});
    driver.raw_add(2, 0);
    kick(2);
  }
  std::uint64_t pages_in_use() const {
    struct stat status = {};
    BOOST_REQUIRE(::fstat(driver.memory_fd(), &status) == 0);
    return static_cast<std::uint64_t>(status.st_blocks) * 512 / kPage;
  }
  std::uint8_t byte_at(memory::GuestAddress address) const {
    return driver.memory()->load<std::uint8_t>(address).value();
  }

  unsigned later = 0;
  BalloonDevice device;
  FakeDriver driver;
  ConfigInterrupt interrupt;
};

inline PageNumber page_of(memory::GuestAddress address) {
  return static_cast<PageNumber>(address / kPage);
}

}  // namespace capsa::virtio::balloon::test
