#include <algorithm>
#include <net/policy/conversation.hpp>

namespace capsa::net {

Conversation::Step Conversation::sent(std::uint32_t sequence, std::span<const std::byte> payload) {
  // Numbers wrap around; a window is less than half of their space (RFC 9293, 3.4).
  const auto offset = static_cast<std::int32_t>(sequence - first_);
  if (payload.empty()) return Step::Pass;
  std::size_t at = 0;
  if (offset < 0) {  // a keep-alive's byte before the stream (RFC 9293, 3.8.4)
    const auto before = static_cast<std::size_t>(-static_cast<std::int64_t>(offset));
    if (before >= payload.size()) return Step::Pass;
    payload = payload.subspan(before);
  } else {
    at = static_cast<std::size_t>(offset);
  }
  const auto seen = inspector_.seen();
  if (at > seen.size())
    return inspector_.state() == HelloInspector::State::NeedMore ? Step::Drop : Step::Pass;
  const std::size_t again = std::min(payload.size(), seen.size() - at);
  if (!std::equal(payload.begin(), payload.begin() + static_cast<std::ptrdiff_t>(again),
                  seen.begin() + static_cast<std::ptrdiff_t>(at))) {
    return Step::Differ;
  }
  const std::size_t before = seen.size();
  inspector_.feed(payload.subspan(again));
  held_ += inspector_.seen().size() - before;
  return Step::Pass;
}

bool Conversation::finished_by(std::uint32_t acknowledgment) const noexcept {
  if (inspector_.state() == HelloInspector::State::NeedMore) return false;
  const auto end = first_ + static_cast<std::uint32_t>(inspector_.seen().size());
  return static_cast<std::int32_t>(acknowledgment - end) >= 0;
}

}  // namespace capsa::net
