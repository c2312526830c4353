#pragma once

#include <backends/image/limits.hpp>
#include <backends/image/tar_entry.hpp>
#include <capsa/result.hpp>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace capsa::image {

inline constexpr std::size_t kTarBlock = 512;

/// The fields of one header block, before extended headers have their say.
struct TarHeader {
  TarEntry entry;
  char type = '0';
};

/// Reads a block of POSIX.1-1988 (ustar), GNU tar's or the old format. InvalidConfig where its
/// checksum or a number is wrong.
result<TarHeader> parse_tar_header(std::span<const std::byte, kTarBlock> block);

/// What an extended header of POSIX.1-2001 (pax) changes in the entry behind it.
struct PaxRecords {
  std::optional<std::string> path;
  std::optional<std::string> link;
  std::optional<std::uint64_t> size;
  std::optional<std::uint32_t> uid;
  std::optional<std::uint32_t> gid;
  std::optional<std::pair<std::int64_t, std::uint32_t>> mtime;
  std::vector<std::pair<std::string, std::string>> xattrs;
};

/// Reads "LENGTH KEY=VALUE\n" again and again. Keys that change nothing here are passed over;
/// UnsupportedFeature for sparse files.
result<PaxRecords> parse_pax(std::string_view text, const LayerLimits& limits);

}  // namespace capsa::image
