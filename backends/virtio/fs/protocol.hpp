#pragma once

// The FUSE wire format, as <linux/fuse.h> gives it: a request is one fuse_in_header, one structure
// that depends on the operation, then names (each ended by a NUL) or data. A reply is one
// fuse_out_header, then one structure or data. Everything in a request is the guest's.

#include <linux/fuse.h>

#include <backends/virtio/fs/outcome.hpp>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace capsa::virtio::fs {

/// virtio-fs begins with Linux 5.4, which speaks 7.31: no guest driver is older.
inline constexpr std::uint32_t kMinMinorVersion = 31;

/// Pages per request, the kernel's own limit (FUSE_MAX_MAX_PAGES), and the bytes of that many 4 KiB
/// pages: the largest write that INIT offers.
inline constexpr std::uint16_t kMaxPages = 256;
inline constexpr std::uint32_t kMaxWrite = kMaxPages * 4096U;
/// The most that one READ or WRITE may move: kMaxPages of 64 KiB, for guests with such pages. A
/// shorter answer would mean end of file, so a longer request is refused and not cut.
inline constexpr std::uint32_t kMaxTransfer = kMaxPages * 65536U;

/// The most bytes of a request that are copied out of guest memory: what SETXATTR needs (64 KiB
/// value and a name), with room. WRITE's payload is not copied.
inline constexpr std::size_t kMaxRequestBytes = 128 * 1024;

/// NAME_MAX, and the kernel's limits for extended attributes (<linux/limits.h>).
inline constexpr std::size_t kMaxName = 255;
inline constexpr std::size_t kMaxTarget = 4095;
inline constexpr std::size_t kMaxXattrName = 255;
inline constexpr std::size_t kMaxXattrSize = 65536;

/// How many bytes at the front of a request are copied and parsed; the rest is payload and stays
/// in guest memory.
std::size_t copied_bytes(std::uint32_t opcode, std::size_t total) noexcept;

/// Takes a request apart, in order. Only looks at bytes that are ours already.
class ArgReader {
 public:
  ArgReader() = default;
  explicit ArgReader(std::span<const std::byte> bytes) noexcept : rest_(bytes) {}

  /// False, and nothing is taken, where less than a T is left.
  template <class T>
  [[nodiscard]] bool take(T& out) noexcept {
    static_assert(std::is_trivially_copyable_v<T>);
    if (rest_.size() < sizeof(T)) return false;
    std::memcpy(&out, rest_.data(), sizeof(T));
    rest_ = rest_.subspan(sizeof(T));
    return true;
  }

  /// A string up to its NUL, which is taken too: data() can go to a system call. Nothing where no
  /// NUL is left.
  std::optional<std::string_view> take_string() noexcept;
  /// The last string of a request: nothing may follow, so no NUL can hide in a name.
  std::optional<std::string_view> take_last_string() noexcept;

  std::span<const std::byte> rest() const noexcept { return rest_; }

 private:
  std::span<const std::byte> rest_;
};

/// The header and what belongs to the request by its own length fields. `total` counts the payload
/// that was not copied too. EINVAL where the lengths do not agree.
struct ParsedRequest {
  fuse_in_header header{};
  ArgReader args;
  std::size_t payload = 0;  ///< bytes after what was copied
};
Outcome<ParsedRequest> parse_request(std::span<const std::byte> copied, std::size_t total) noexcept;

/// 0 where a guest's name may be looked up in a directory: one component that is neither "." nor
/// "..". EINVAL or ENAMETOOLONG otherwise.
int check_name(std::string_view name) noexcept;

/// The body of a reply in the making. Kept between requests, so that it allocates rarely.
class ReplyBody {
 public:
  template <class T>
  void append(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    append_bytes(std::as_bytes(std::span(&value, 1)));
  }
  void append_bytes(std::span<const std::byte> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  void append_text(std::string_view text) { append_bytes(std::as_bytes(std::span(text))); }
  /// Zeroes up to the next multiple of 8, as directory entries need.
  void pad() { bytes_.resize((bytes_.size() + 7) & ~std::size_t{7}); }
  void clear() noexcept { bytes_.clear(); }

  std::size_t size() const noexcept { return bytes_.size(); }
  std::span<const std::byte> bytes() const noexcept { return bytes_; }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace capsa::virtio::fs
