#include <actors/console/core/stream_pattern.hpp>
#include <utility>

namespace capsa::console {

StreamPattern::StreamPattern(std::string bytes)
    : bytes_(std::move(bytes)), border_(bytes_.size(), 0) {
  for (std::size_t i = 1, k = 0; i < bytes_.size(); ++i) {
    while (k > 0 && bytes_[i] != bytes_[k])
      k = border_[k - 1];
    if (bytes_[i] == bytes_[k]) ++k;
    border_[i] = k;
  }
}

std::size_t StreamPattern::feed(std::string_view bytes) noexcept {
  std::size_t i = 0;
  while (i < bytes.size()) {
    if (matched_ == 0) {
      i = bytes.find(bytes_.front(), i);
      if (i == std::string_view::npos) return npos;
    }
    while (matched_ > 0 && bytes[i] != bytes_[matched_])
      matched_ = border_[matched_ - 1];
    if (bytes[i] == bytes_[matched_]) ++matched_;
    ++i;
    if (matched_ == bytes_.size()) {
      matched_ = 0;
      return i;
    }
  }
  return npos;
}

}  // namespace capsa::console
