#include <actors/console/core/output_ring.hpp>
#include <actors/console/core/text.hpp>
#include <algorithm>
#include <utility>

namespace capsa::console {

OutputRing::OutputRing(std::size_t capacity) : capacity_(std::max<std::size_t>(capacity, 1)) {}

void OutputRing::append(std::string_view bytes) {
  // Until the ring has filled once the offset is the index, so that it grows like any vector.
  const std::size_t fresh = std::min(bytes.size(), capacity_ - kept_.size());
  kept_.insert(kept_.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(fresh));
  end_ += fresh;
  bytes.remove_prefix(fresh);

  if (bytes.size() > capacity_) {
    end_ += bytes.size() - capacity_;
    bytes.remove_prefix(bytes.size() - capacity_);
  }
  while (!bytes.empty()) {
    const std::size_t at = end_ % capacity_;
    const std::size_t piece = std::min(bytes.size(), capacity_ - at);
    std::copy_n(bytes.begin(), piece, kept_.begin() + static_cast<std::ptrdiff_t>(at));
    end_ += piece;
    bytes.remove_prefix(piece);
  }
  if (position_ < begin()) {
    const std::uint64_t skipped = begin() - position_;
    lost_ += skipped;
    lost_total_ += skipped;
    position_ = begin();
  }
}

void OutputRing::read_to(std::uint64_t offset) noexcept {
  position_ = std::clamp(offset, position_, end_);
}

std::uint64_t OutputRing::take_lost() noexcept {
  return std::exchange(lost_, 0);
}

std::array<std::string_view, 2> OutputRing::view(std::uint64_t from,
                                                 std::uint64_t to) const noexcept {
  to = std::min(to, end_);
  from = std::max(from, begin());
  if (from >= to) return {};
  const std::size_t at = from % capacity_;
  const std::size_t length = to - from;
  const std::size_t first = std::min(length, capacity_ - at);
  return {std::string_view(kept_.data() + at, first),
          std::string_view(kept_.data(), length - first)};
}

std::string OutputRing::copy(std::uint64_t from, std::uint64_t to) const {
  const auto pieces = view(from, to);
  std::string out;
  out.reserve(pieces[0].size() + pieces[1].size());
  out.append(pieces[0]).append(pieces[1]);
  return out;
}

std::string OutputRing::last_lines(std::size_t count, std::size_t max_bytes) const {
  if (count == 0) return {};
  const std::string text = copy(end_ - std::min<std::uint64_t>(max_bytes, kept_.size()), end_);
  std::string_view rest = text;
  if (rest.ends_with('\n')) rest.remove_suffix(1);
  std::size_t start = rest.size();
  for (std::size_t lines = 0; lines < count && start != std::string_view::npos; ++lines)
    start = start == 0 ? std::string_view::npos : rest.rfind('\n', start - 1);
  if (start != std::string_view::npos) rest.remove_prefix(start + 1);
  return printable(rest);
}

}  // namespace capsa::console
