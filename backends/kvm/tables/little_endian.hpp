#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace capsa::kvm {

/// Puts `value` at `offset`, least significant byte first, as every table of a PC has it. The bytes
/// must be there.
template <std::unsigned_integral T>
void put(std::span<std::byte> out, std::size_t offset, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i)
    out[offset + i] = static_cast<std::byte>(value >> (8 * i));
}

/// Puts characters, without a zero at the end.
inline void put(std::span<std::byte> out, std::size_t offset, std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i)
    out[offset + i] = static_cast<std::byte>(text[i]);
}

template <std::unsigned_integral T>
void append(std::vector<std::byte>& out, T value) {
  out.resize(out.size() + sizeof(T));
  put(out, out.size() - sizeof(T), value);
}

inline void append(std::vector<std::byte>& out, std::string_view text) {
  out.resize(out.size() + text.size());
  put(out, out.size() - text.size(), text);
}

inline void append(std::vector<std::byte>& out, std::span<const std::byte> bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

}  // namespace capsa::kvm
