// A hostile driver around one balloon: page numbers of any value, reports of any shape, broken
// rings, kicks at any time, suspends and resets with work left. The input is a script. The guest
// may give away the pages that its own rings lie in.
#include <backends/virtio/balloon/device.hpp>
#include <cstdlib>
#include <exception>
#include <tests/support/fake_driver.hpp>
#include <tests/support/fuzz_input.hpp>
#include <vector>

using namespace capsa;
using test::FuzzInput;
using virtio::balloon::BalloonDevice;

namespace {

constexpr std::uint64_t kMemory = 1U << 20;

void require(bool condition) {
  if (!condition) std::abort();
}

/// Mostly a page of the guest, now and then anything.
virtio::balloon::PageNumber page(FuzzInput& input, const test::FakeDriver& driver) {
  const auto at = input.take<std::uint8_t>();
  if (at == 0xff) return input.take<std::uint32_t>();
  return static_cast<virtio::balloon::PageNumber>(
      driver.options().guest_address / BalloonDevice::kPageSize + at);
}

void play(FuzzInput& input) {
  const auto options = input.take<std::uint8_t>();
  bool later = false;
  BalloonDevice device([&later] { later = true; },
                       {.deflate_on_oom = (options & 8) == 0, .reporting = (options & 16) == 0});
  test::FakeDriver driver(
      device.identity(),
      {.memory_mib = 1, .event_idx = (options & 1) != 0, .indirect = (options & 2) != 0});
  const std::uint64_t features = (options & 32) == 0 ? virtio::balloon::kFeatureReporting : 0;
  const auto queues = static_cast<std::uint8_t>(device.identity().queue_sizes.size());
  if ((options & 4) == 0) driver.activate(device, features);
  while (!input.empty()) {
    const auto what = input.take<std::uint8_t>() % 10;
    const auto queue = static_cast<virtio::QueueIndex>(input.take<std::uint8_t>() % queues);
    switch (what) {
      case 0:
      case 1: {  // page numbers, now and then many
        std::vector<virtio::balloon::PageNumber> pages(input.take<std::uint8_t>());
        for (auto& one : pages)
          one = page(input, driver);
        if (input.take<std::uint8_t>() > 0xf0) pages.resize(3000);
        const auto bytes = std::as_bytes(std::span(pages));
        const std::size_t cut =
            bytes.size() - std::min<std::size_t>(bytes.size(), input.take<std::uint8_t>());
        driver.add(queue,
                   {test::Bytes(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(cut)),
                    test::Bytes(bytes.begin() + static_cast<std::ptrdiff_t>(cut), bytes.end())},
                   {});
        if (driver.publish(queue)) device.process(queue);
        break;
      }
      case 2:
        while (const auto used = driver.pop_used(queue))
          require(used->written == 0);
        break;
      case 3:
      case 4:  // any buffers, anywhere
        for (int count = input.take<std::uint8_t>() % 4; count >= 0; --count)
          driver.raw_descriptor(
              queue, input.take<std::uint8_t>() % 128,
              {driver.options().guest_address + input.take<std::uint32_t>() % (2 * kMemory),
               input.take<std::uint32_t>() >> input.take<std::uint8_t>() % 32,
               static_cast<std::uint16_t>(input.take<std::uint8_t>() % 8),
               static_cast<std::uint16_t>(input.take<std::uint8_t>() % 129)});
        driver.raw_add(queue, input.take<std::uint8_t>() % 129);
        if (driver.publish(queue)) device.process(queue);
        break;
      case 5:
        driver.raw_available_index(queue, input.take<std::uint16_t>());
        break;
      case 6:
        device.process(input.take<std::uint8_t>() % 5);
        break;
      case 7:
        if (!std::exchange(later, false) && input.take<std::uint8_t>() % 2 == 0) break;
        device.process_more();
        break;
      case 8: {
        std::vector<std::byte> config(input.take<std::uint8_t>() % 32);
        const auto target = input.take<std::uint32_t>();
        device.set_target(target);
        const auto offset = input.take<std::uint8_t>() % 16;
        device.write_config(offset, input.bytes(config.size()));
        device.read_config(offset, config);
        require(device.target() == target);
        break;
      }
      default: {
        bool done = false;
        if (input.take<std::uint8_t>() % 2 == 0) {
          device.reset([&done] { done = true; });
          require(device.actual() == 0);
        } else {
          const auto actual = device.actual();
          device.suspend([&done] { done = true; });
          require(device.actual() == actual);
        }
        require(done && !device.active());
        const auto count = input.take<std::uint8_t>() % 5;
        if (count < 4) driver.activate(device, features, std::min<std::size_t>(queues, count));
        break;
      }
    }
    const auto& stats = device.stats();
    require(stats.reported % BalloonDevice::kPageSize == 0);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FuzzInput input(data, size);
  try {
    play(input);
  } catch (const std::exception&) {
    // The fake driver refuses what it cannot do itself: no descriptors, no memory, a broken ring.
  }
  return 0;
}
