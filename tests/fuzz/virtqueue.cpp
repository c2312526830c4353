#include <backends/virtio/queue.hpp>
#include <cstdlib>
#include <cstring>
#include <tests/support/fuzz_input.hpp>
#include <tests/support/guest_file.hpp>
#include <vector>

using namespace capsa;
using test::FuzzInput;

namespace {

// Two regions that touch and one that does not. The rings lie in the first.
constexpr std::uint64_t kRegion = 16 * 1024;
constexpr std::uint64_t kFirst = 0x1000, kSecond = kFirst + kRegion, kThird = 0x10'0000;
constexpr std::uint64_t kDescriptors = kFirst, kAvailable = kFirst + 0x400, kUsed = kFirst + 0x800;

const std::shared_ptr<const memory::GuestMemory>& guest() {
  static const auto memory = [] {
    const UniqueFd file = test::make_guest_file(3 * kRegion);
    const int fd = file.get();
    const std::vector<memory::RegionSpec> regions{{kFirst, kRegion, 0, 0, fd},
                                                  {kSecond, kRegion, 0, kRegion, fd},
                                                  {kThird, kRegion, 0, 2 * kRegion, fd}};
    return memory::GuestMemory::map(regions).value();
  }();
  return memory;
}

bool inside(const virtio::Segment& segment) {
  for (const auto start : {kFirst, kSecond, kThird}) {
    const auto region = guest()->slice(start, kRegion).value();
    if (segment.data() >= region.data() &&
        segment.data() + segment.size() <= region.data() + region.size()) {
      return true;
    }
  }
  return false;
}

void check(const virtio::Chain& chain, const virtio::QueueConfig& config) {
  if (chain.head >= config.size) std::abort();
  if (chain.readable_bytes() + chain.writable_bytes() > 1ULL << 32) std::abort();
  for (const auto* part : {&chain.readable, &chain.writable}) {
    for (const auto& segment : *part) {
      if (segment.empty() || !inside(segment)) std::abort();
    }
  }
  std::byte buffer[64];
  const std::size_t middle = chain.readable_bytes() / 2;
  if (chain.copy_out(middle, buffer) !=
      std::min<std::size_t>(64, chain.readable_bytes() - middle)) {
    std::abort();
  }
  chain.copy_in(chain.writable_bytes() / 2, buffer);
}

}  // namespace

/// A driver that writes what it likes, where it likes, between any two calls of the device. The
/// first byte says what was agreed; then operations, one byte each with their operands.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FuzzInput input(data, size);
  for (const auto start : {kFirst, kSecond, kThird}) {
    std::memset(guest()->slice(start, kRegion).value().data(), 0, kRegion);
  }
  const auto agreed = input.take<std::uint8_t>();
  virtio::QueueConfig config{.size = static_cast<std::uint16_t>(1U << (agreed & 7)),
                             .descriptors = kDescriptors,
                             .available = kAvailable,
                             .used = kUsed,
                             .next_available = 0,
                             .event_idx = (agreed & 8) != 0,
                             .indirect = (agreed & 16) != 0};
  auto queue = virtio::Queue::create(guest(), config);
  if (!queue) return 0;
  std::vector<std::uint16_t> popped;
  while (!input.empty()) {
    switch (input.take<std::uint8_t>() % 10) {
      case 0: {
        const bool was_broken = queue->broken();
        const auto chain = queue->pop();
        if (chain && was_broken) std::abort();
        if (chain) {
          check(*chain, config);
          popped.push_back(chain->head);
        }
        break;
      }
      case 1:
        if (popped.empty()) break;
        queue->push(popped.back(), input.take<std::uint32_t>());
        popped.pop_back();
        break;
      case 2:
        queue->should_signal();
        break;
      case 3:
        queue->enable_notifications();
        break;
      case 4:
        queue->disable_notifications();
        break;
      case 5: {  // a descriptor
        const auto index = input.take<std::uint8_t>();
        guest()->write(kDescriptors + 16 * index, input.bytes(16));
        break;
      }
      case 6:  // the available index
        guest()->store(kAvailable + 2, input.take<std::uint16_t>());
        break;
      case 7: {  // an entry of the available ring
        const auto index = input.take<std::uint8_t>();
        guest()->store(kAvailable + 4 + 2 * (index % config.size), input.take<std::uint16_t>());
        break;
      }
      case 8: {  // anything: indirect tables, used ring, events
        const auto offset = input.take<std::uint16_t>();
        guest()->write(kFirst + offset % (2 * kRegion), input.bytes(16));
        break;
      }
      case 9:  // the rings elsewhere, and whatever lies there
        config.descriptors = input.take<std::uint64_t>();
        config.available = input.take<std::uint32_t>();
        config.used = input.take<std::uint32_t>();
        config.next_available = input.take<std::uint16_t>();
        if (auto other = virtio::Queue::create(guest(), config)) {
          queue = std::move(other);
          popped.clear();
        }
        break;
    }
  }
  return 0;
}
