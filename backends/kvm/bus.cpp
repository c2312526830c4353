#include <algorithm>
#include <backends/kvm/bus.hpp>
#include <limits>

namespace capsa::kvm {

bool Bus::add(std::uint64_t start, std::uint64_t length, std::shared_ptr<BusDevice> device) {
  if (length == 0 || length - 1 > std::numeric_limits<std::uint64_t>::max() - start) return false;
  const auto at =
      std::upper_bound(ranges_.begin(), ranges_.end(), start,
                       [](std::uint64_t value, const Range& range) { return value < range.start; });
  if (at != ranges_.begin() && start - std::prev(at)->start < std::prev(at)->length) return false;
  if (at != ranges_.end() && at->start - start < length) return false;
  ranges_.insert(at, {start, length, std::move(device)});
  return true;
}

const Bus::Range* Bus::find(std::uint64_t address, std::size_t length) const {
  auto after =
      std::upper_bound(ranges_.begin(), ranges_.end(), address,
                       [](std::uint64_t value, const Range& range) { return value < range.start; });
  if (after == ranges_.begin()) return nullptr;
  const Range& range = *--after;
  const std::uint64_t offset = address - range.start;
  return offset < range.length && length <= range.length - offset ? &range : nullptr;
}

bool Bus::read(std::uint64_t address, std::span<std::byte> out) const {
  const Range* const range = find(address, out.size());
  if (range == nullptr) {
    std::fill(out.begin(), out.end(), std::byte{0xff});
    return false;
  }
  range->device->read(address - range->start, out);
  return true;
}

bool Bus::write(std::uint64_t address, std::span<const std::byte> in) const {
  const Range* const range = find(address, in.size());
  if (range == nullptr) return false;
  range->device->write(address - range->start, in);
  return true;
}

}  // namespace capsa::kvm
