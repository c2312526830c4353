#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace capsa::console {

/// The last bytes that a guest wrote, addressed by their absolute offset in the stream, and the one
/// read position of a console. A guest writes as much as it likes: what the ring cannot keep is
/// dropped from its old end, and what the reader had not seen of that is counted. Memory grows with
/// the output, up to the capacity. Single-threaded.
class OutputRing {
 public:
  /// Several thousand lines: a whole boot log and a long test run, at a price that a host with a
  /// hundred VMs does not feel.
  static constexpr std::size_t kDefaultCapacity = std::size_t{1} << 20;

  /// `capacity` in bytes; 0 is taken as 1.
  explicit OutputRing(std::size_t capacity = kDefaultCapacity);

  void append(std::string_view bytes);

  std::size_t capacity() const noexcept { return capacity_; }
  /// Offset of the oldest byte still kept: also how many bytes were dropped in all.
  std::uint64_t begin() const noexcept { return end_ - kept_.size(); }
  /// Offset just past the newest byte: also how many bytes the guest wrote in all.
  std::uint64_t end() const noexcept { return end_; }

  /// Offset of the next byte to be read; never below begin().
  std::uint64_t position() const noexcept { return position_; }
  /// Moves the read position forward to `offset` (clamped to what there is; never back).
  void read_to(std::uint64_t offset) noexcept;
  /// Bytes that were dropped before they were read, since the last call.
  std::uint64_t take_lost() noexcept;
  /// The same since the ring was made.
  std::uint64_t lost_total() const noexcept { return lost_total_; }

  /// The bytes of [from, to) in one or two pieces, clamped to what is kept. Valid until append().
  std::array<std::string_view, 2> view(std::uint64_t from, std::uint64_t to) const noexcept;
  std::string copy(std::uint64_t from, std::uint64_t to) const;
  /// The last `count` lines for an error message: control and non-ASCII bytes escaped as in C, one
  /// trailing newline dropped, at most `max_bytes` of output looked at.
  std::string last_lines(std::size_t count, std::size_t max_bytes = 2048) const;

 private:
  std::size_t capacity_;
  std::vector<char> kept_;  // the byte at offset o is kept_[o % capacity_]
  std::uint64_t end_ = 0;
  std::uint64_t position_ = 0;
  std::uint64_t lost_ = 0;
  std::uint64_t lost_total_ = 0;
};

}  // namespace capsa::console
