#include <algorithm>
#include <net/policy/name_pins.hpp>

namespace capsa::net {

void NamePins::add(const IpAddress& address, std::string_view name, std::chrono::seconds ttl,
                   TimePoint now) {
  const auto end =
      now + std::clamp<std::chrono::seconds>(ttl, kMinTtl, std::chrono::seconds(kMaxTtl));
  if (size_ >= kMaxPins) make_room(now);
  auto& pins = pins_[address];
  const auto same =
      std::find_if(pins.begin(), pins.end(), [&](const Pin& pin) { return pin.name == name; });
  if (same != pins.end()) {
    same->expires = std::max(same->expires, end);
    return;
  }
  if (pins.size() < kMaxNames) {
    pins.push_back({std::string(name), end});
    ++size_;
    return;
  }
  const auto first = std::min_element(
      pins.begin(), pins.end(), [](const Pin& a, const Pin& b) { return a.expires < b.expires; });
  if (first->expires > now) ++evicted_;
  *first = {std::string(name), end};
}

std::vector<std::string> NamePins::names_of(const IpAddress& address, TimePoint now) const {
  std::vector<std::string> out;
  const auto at = pins_.find(address);
  if (at == pins_.end()) return out;
  for (const auto& pin : at->second) {
    if (pin.expires > now) out.push_back(pin.name);
  }
  return out;
}

void NamePins::clear() noexcept {
  pins_.clear();
  size_ = 0;
}

void NamePins::remove_until(TimePoint end) {
  for (auto at = pins_.begin(); at != pins_.end();) {
    size_ -= std::erase_if(at->second, [&](const Pin& pin) { return pin.expires <= end; });
    at = at->second.empty() ? pins_.erase(at) : std::next(at);
  }
}

/// The expired ones; else the eighth that would expire first, so that a flood does not look at all
/// of them for each of its pins.
void NamePins::make_room(TimePoint now) {
  remove_until(now);
  if (size_ < kMaxPins) return;
  std::vector<TimePoint> ends;
  ends.reserve(size_);
  for (const auto& [address, pins] : pins_) {
    for (const auto& pin : pins)
      ends.push_back(pin.expires);
  }
  const auto eighth = ends.begin() + static_cast<std::ptrdiff_t>(kMaxPins / 8);
  std::nth_element(ends.begin(), eighth, ends.end());
  const std::size_t before = size_;
  remove_until(*eighth);
  evicted_ += before - size_;
}

}  // namespace capsa::net
