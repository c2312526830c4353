#pragma once

#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>

namespace capsa::test {

/// The blocks of a pcapng file (draft-ietf-opsawg-pcapng) by type, their content; no entry 0 where
/// it is whole.
inline std::multimap<std::uint32_t, std::string> blocks_of(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  const std::string all{std::istreambuf_iterator<char>(in), {}};
  std::multimap<std::uint32_t, std::string> out;
  const auto word = [&](std::size_t where) {
    std::uint32_t value = 0;
    std::memcpy(&value, all.data() + where, 4);
    return value;
  };
  for (std::size_t where = 0; where < all.size();) {
    const std::size_t left = all.size() - where;
    const std::size_t size = left < 12 ? 0 : word(where + 4);
    if (size < 12 || size % 4 != 0 || size > left || word(where + size - 4) != size) {
      out.emplace(0, "at byte " + std::to_string(where));
      break;
    }
    out.emplace(word(where), all.substr(where + 8, size - 12));
    where += size;
  }
  return out;
}

}  // namespace capsa::test
