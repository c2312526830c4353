#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace capsa::console {

/// Finds one byte string in a stream that comes in pieces (Knuth, Morris, Pratt): every byte is
/// looked at once, however the guest cuts its output and whatever it repeats.
class StreamPattern {
 public:
  static constexpr std::size_t npos = static_cast<std::size_t>(-1);

  /// `bytes` is not empty.
  explicit StreamPattern(std::string bytes);

  /// Offset just past the first match's last byte in `bytes`; npos where no match ends there. After
  /// a match the search begins anew.
  std::size_t feed(std::string_view bytes) noexcept;
  void reset() noexcept { matched_ = 0; }

  const std::string& bytes() const noexcept { return bytes_; }

 private:
  std::string bytes_;
  std::vector<std::size_t> border_;  // longest proper border of each prefix
  std::size_t matched_ = 0;
};

}  // namespace capsa::console
