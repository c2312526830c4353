#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace capsa::guest {

/// A little-endian number at `offset`; none where it does not lie in `bytes` as a whole.
template <class T>
std::optional<T> read_le(std::string_view bytes, std::uint64_t offset) {
  if (offset > bytes.size() || bytes.size() - offset < sizeof(T)) return {};
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i)
    value |= std::uint64_t{static_cast<unsigned char>(bytes[offset + i])} << (8 * i);
  return static_cast<T>(value);
}

/// `length` bytes at `offset`; none where they do not lie in `bytes` as a whole.
inline std::optional<std::string_view> slice(std::string_view bytes, std::uint64_t offset,
                                             std::uint64_t length) {
  if (offset > bytes.size() || bytes.size() - offset < length) return {};
  return bytes.substr(offset, length);
}

}  // namespace capsa::guest
