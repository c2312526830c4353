#include <algorithm>
#include <backends/image/tar_header.hpp>
#include <charconv>

namespace capsa::image {
namespace {

struct Field {
  std::size_t offset;
  std::size_t length;
};

constexpr Field kName = {0, 100};
constexpr Field kMode = {100, 8};
constexpr Field kUid = {108, 8};
constexpr Field kGid = {116, 8};
constexpr Field kSize = {124, 12};
constexpr Field kMtime = {136, 12};
constexpr Field kChecksum = {148, 8};
constexpr std::size_t kType = 156;
constexpr Field kLink = {157, 100};
constexpr Field kMagic = {257, 6};
constexpr Field kPrefix = {345, 155};

error invalid(std::string what) {
  return {ErrorCode::InvalidConfig, "the tar archive is damaged: " + std::move(what)};
}

std::string_view raw(std::string_view block, Field field) {
  return block.substr(field.offset, field.length);
}

/// Up to the first NUL, or all of it.
std::string_view text(std::string_view block, Field field) {
  const auto all = raw(block, field);
  return all.substr(0, all.find('\0'));
}

/// Octal digits between blanks and NULs, or a big-endian number where the first bit is set (GNU).
bool number(std::string_view field, std::int64_t& value) {
  const auto first = static_cast<unsigned char>(field.front());
  if ((first & 0x80) != 0) {
    // Two's complement, of which the first bit is the mark; the sign is the second.
    const bool negative = (first & 0x40) != 0;
    std::uint64_t sum = negative ? ~std::uint64_t{0} : 0;
    for (std::size_t i = 0; i < field.size(); ++i) {
      auto byte = static_cast<unsigned char>(field[i]);
      if (i == 0) byte = static_cast<unsigned char>(negative ? byte | 0x80 : byte & 0x7f);
      const auto lost = sum >> 55;  // must all be the sign: else it does not fit
      if (lost != (negative ? 0x1ffU : 0)) return false;
      sum = sum << 8 | byte;
    }
    value = static_cast<std::int64_t>(sum);
    return true;
  }
  const auto begin = field.find_first_not_of(' ');
  if (begin == std::string_view::npos) {
    value = 0;
    return true;
  }
  field.remove_prefix(begin);
  field = field.substr(0, field.find_first_of(std::string_view(" \0", 2)));
  value = 0;
  if (field.empty()) return true;
  const auto [end, failed] = std::from_chars(field.data(), field.data() + field.size(), value, 8);
  return failed == std::errc() && end == field.data() + field.size() && value >= 0;
}

bool checksum_fits(std::string_view block) {
  std::int64_t wanted = 0;
  if (!number(raw(block, kChecksum), wanted)) return false;
  std::int64_t sum = 0;
  std::int64_t signed_sum = 0;  // some old programs added signed bytes
  for (std::size_t i = 0; i < block.size(); ++i) {
    const bool own = i >= kChecksum.offset && i < kChecksum.offset + kChecksum.length;
    const char c = own ? ' ' : block[i];
    sum += static_cast<unsigned char>(c);
    signed_sum += static_cast<signed char>(c);
  }
  return wanted == sum || wanted == signed_sum;
}

}  // namespace

result<TarHeader> parse_tar_header(std::span<const std::byte, kTarBlock> bytes) {
  const std::string_view block(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (!checksum_fits(block)) return invalid("the checksum of a header is wrong");
  TarHeader header;
  header.type = block[kType];
  TarEntry& entry = header.entry;
  entry.path = text(block, kName);
  entry.link = text(block, kLink);
  // GNU's own format ("ustar ") keeps times where POSIX has the prefix.
  if (raw(block, kMagic) == std::string_view("ustar\0", 6)) {
    if (const auto prefix = text(block, kPrefix); !prefix.empty())
      entry.path = std::string(prefix) + "/" + entry.path;
  }
  std::int64_t mode = 0;
  std::int64_t uid = 0;
  std::int64_t gid = 0;
  std::int64_t size = 0;
  if (!number(raw(block, kMode), mode) || !number(raw(block, kUid), uid) ||
      !number(raw(block, kGid), gid) || !number(raw(block, kSize), size) ||
      !number(raw(block, kMtime), entry.mtime))
    return invalid("a header has a number that is none");
  if (size < 0 || uid < 0 || uid > UINT32_MAX || gid < 0 || gid > UINT32_MAX)
    return invalid("a header has a number that is out of range");
  entry.mode = static_cast<std::uint32_t>(mode) & 07777;
  entry.uid = static_cast<std::uint32_t>(uid);
  entry.gid = static_cast<std::uint32_t>(gid);
  entry.size = static_cast<std::uint64_t>(size);
  return header;
}

}  // namespace capsa::image
