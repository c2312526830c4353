#pragma once

#include <capsa/result.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <type_traits>

namespace capsa::kvm {

/// A file that a guest is started from. Whoever wrote it is not trusted, and may still be writing:
/// a number is read once, into our copy. Borrows the descriptor and does not move its position.
class BootFile {
 public:
  /// `what` names it in errors ("kernel") and must outlive this. InvalidConfig where it is not a
  /// regular file, or the code of the errno of fstat(2).
  static result<BootFile> open(int fd, std::string_view what);

  std::uint64_t size() const noexcept { return size_; }
  /// Whether [offset, offset + length) lies in the file as it was when it was opened.
  bool holds(std::uint64_t offset, std::uint64_t length) const noexcept {
    return offset <= size_ && length <= size_ - offset;
  }

  /// Reads it all, into guest memory as well as into ours: pread(2) does the copying, in one piece
  /// where the kernel lets it. InvalidConfig where the file ends before, or the code of the errno.
  result<void> read(std::uint64_t offset, std::span<std::byte> out) const;

  /// One value as it lies in the file; x86 is little-endian as the files are.
  template <class T>
  result<T> load(std::uint64_t offset) const {
    static_assert(std::is_trivially_copyable_v<T>);
    T value{};
    if (auto got = read(offset, std::as_writable_bytes(std::span(&value, 1))); !got)
      return got.error();
    return value;
  }

  /// "the kernel " and what is wrong with it.
  error fault(ErrorCode code, std::string_view what, std::string hint = {}) const;

 private:
  BootFile(int fd, std::string_view what, std::uint64_t size) : fd_(fd), what_(what), size_(size) {}

  int fd_;
  std::string_view what_;
  std::uint64_t size_;
};

}  // namespace capsa::kvm
