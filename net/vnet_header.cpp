#include <net/vnet_header.hpp>

namespace capsa::net {
namespace {

constexpr std::uint8_t kNeedsChecksum = 1;
constexpr std::uint8_t kDataValid = 2;

constexpr std::uint8_t kGsoNone = 0;
constexpr std::uint8_t kGsoTcpV4 = 1;
constexpr std::uint8_t kGsoTcpV6 = 4;
constexpr std::uint8_t kGsoEcn = 0x80;  // beside one of the two above

std::uint16_t get(std::span<const std::byte> bytes, std::size_t at) {
  return static_cast<std::uint16_t>(std::to_integer<unsigned>(bytes[at]) |
                                    std::to_integer<unsigned>(bytes[at + 1]) << 8);
}

void put(std::span<std::byte> bytes, std::size_t at, std::uint16_t value) {
  bytes[at] = static_cast<std::byte>(value);
  bytes[at + 1] = static_cast<std::byte>(value >> 8);
}

}  // namespace

std::optional<FrameMeta> decode_vnet_header(
    std::span<const std::byte, kVnetHeaderBytes> header) noexcept {
  const auto flags = std::to_integer<std::uint8_t>(header[0]);
  const auto type = std::to_integer<std::uint8_t>(header[1]);
  FrameMeta meta;
  meta.checksum_valid = (flags & kDataValid) != 0;
  if ((flags & kNeedsChecksum) != 0) {
    meta.needs_checksum = true;
    meta.checksum_start = get(header, 6);
    meta.checksum_offset = get(header, 8);
  }
  if (type == kGsoNone) return meta;
  meta.ecn = (type & kGsoEcn) != 0;
  switch (type & ~kGsoEcn) {
    case kGsoTcpV4:
      meta.gso = Gso::TcpV4;
      break;
    case kGsoTcpV6:
      meta.gso = Gso::TcpV6;
      break;
    default:
      return std::nullopt;
  }
  meta.header_length = get(header, 2);
  meta.gso_size = get(header, 4);
  return meta;
}

std::array<std::byte, kVnetHeaderBytes> encode_vnet_header(const FrameMeta& meta) noexcept {
  std::array<std::byte, kVnetHeaderBytes> header{};
  if (meta.needs_checksum) {
    header[0] = std::byte{kNeedsChecksum};
    put(header, 6, meta.checksum_start);
    put(header, 8, meta.checksum_offset);
  } else if (meta.checksum_valid) {
    header[0] = std::byte{kDataValid};
  }
  if (meta.gso != Gso::None) {
    const std::uint8_t type = meta.gso == Gso::TcpV4 ? kGsoTcpV4 : kGsoTcpV6;
    header[1] = static_cast<std::byte>(type | (meta.ecn ? kGsoEcn : 0));
    put(header, 2, meta.header_length);
    put(header, 4, meta.gso_size);
  }
  return header;
}

}  // namespace capsa::net
