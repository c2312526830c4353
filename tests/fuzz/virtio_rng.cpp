// A hostile driver around one entropy device: chains of any shape, broken rings, kicks at any time,
// suspends and resets with work left. The input is a script.
#include <backends/virtio/rng/device.hpp>
#include <cstdlib>
#include <exception>
#include <tests/support/fake_driver.hpp>
#include <tests/support/fuzz_input.hpp>
#include <vector>

using namespace capsa;
using test::FuzzInput;

namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

void play(FuzzInput& input) {
  const auto options = input.take<std::uint8_t>();
  bool later = false;
  virtio::rng::RngDevice device([&later] { later = true; });
  test::FakeDriver driver(
      device.identity(),
      {.memory_mib = 1, .event_idx = (options & 1) != 0, .indirect = (options & 2) != 0});
  if ((options & 4) == 0) driver.activate(device);
  while (!input.empty()) {
    switch (input.take<std::uint8_t>() % 8) {
      case 0:
      case 1: {  // well formed
        std::vector<std::size_t> sizes;
        for (int count = input.take<std::uint8_t>() % 5; count > 0; --count)
          sizes.push_back(input.take<std::uint16_t>());
        std::vector<test::Bytes> readable;
        if (sizes.empty()) readable.emplace_back(input.take<std::uint8_t>());
        driver.add(0, readable, sizes);
        if (driver.publish(0)) device.process(0);
        break;
      }
      case 2:
        while (const auto used = driver.pop_used(0))
          require(used->written <= virtio::rng::RngDevice::kBytesPerChain);
        break;
      case 3:
        driver.raw_descriptor(
            0, input.take<std::uint8_t>() % 64,
            {driver.options().guest_address + input.take<std::uint32_t>() % (2U << 20),
             input.take<std::uint32_t>() >> input.take<std::uint8_t>() % 32,
             static_cast<std::uint16_t>(input.take<std::uint8_t>() % 8),
             static_cast<std::uint16_t>(input.take<std::uint8_t>() % 65)});
        driver.raw_add(0, input.take<std::uint8_t>() % 65);
        if (driver.publish(0)) device.process(0);
        break;
      case 4:
        driver.raw_available_index(0, input.take<std::uint16_t>());
        break;
      case 5:
        device.process(input.take<std::uint8_t>() % 3);
        break;
      case 6:
        if (!std::exchange(later, false) && input.take<std::uint8_t>() % 2 == 0) break;
        device.process_more();
        break;
      default: {
        const auto how = input.take<std::uint8_t>() % 3;
        bool done = false;
        if (how == 0) {
          device.reset([&done] { done = true; });
        } else {
          device.suspend([&done] { done = true; });
        }
        require(done && !device.active());
        if (how != 2) driver.activate(device);
        break;
      }
    }
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
