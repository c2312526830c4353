#include <backends/virtio/net/protocol.hpp>

namespace capsa::virtio::nic {
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

net::Offloads offloads(std::uint64_t features, std::uint64_t checksum, std::uint64_t tso4,
                       std::uint64_t tso6, std::uint64_t ecn) {
  net::Offloads agreed;
  agreed.checksum = (features & checksum) != 0;
  agreed.tso4 = agreed.checksum && (features & tso4) != 0;
  agreed.tso6 = agreed.checksum && (features & tso6) != 0;
  agreed.ecn = (agreed.tso4 || agreed.tso6) && (features & ecn) != 0;
  return agreed;
}

}  // namespace

net::Offloads guest_offloads(std::uint64_t features) noexcept {
  return offloads(features, kFeatureGuestChecksum, kFeatureGuestTso4, kFeatureGuestTso6,
                  kFeatureGuestEcn);
}

net::Offloads host_offloads(std::uint64_t features) noexcept {
  return offloads(features, kFeatureChecksum, kFeatureHostTso4, kFeatureHostTso6, kFeatureHostEcn);
}

std::uint64_t host_offload_features(const net::Offloads& offloads) noexcept {
  // A checksum is always taken: where the port does not, it is completed here.
  std::uint64_t features = kFeatureChecksum;
  if (!offloads.checksum) return features;
  if (offloads.tso4) features |= kFeatureHostTso4;
  if (offloads.tso6) features |= kFeatureHostTso6;
  if (offloads.ecn && (offloads.tso4 || offloads.tso6)) features |= kFeatureHostEcn;
  return features;
}

std::optional<net::FrameMeta> decode_header(std::span<const std::byte> header,
                                            const net::Offloads& agreed) noexcept {
  const auto flags = std::to_integer<std::uint8_t>(header[0]);
  const auto type = std::to_integer<std::uint8_t>(header[1]);
  net::FrameMeta meta;
  // Other flags are ignored (5.1.6.2.2): what a guest says is valid is no reason to believe it.
  if ((flags & kNeedsChecksum) != 0) {
    meta.needs_checksum = true;
    meta.checksum_start = get(header, 6);
    meta.checksum_offset = get(header, 8);
  }
  if (type != kGsoNone) {
    const std::uint8_t kind = type & static_cast<std::uint8_t>(~kGsoEcn);
    if (kind != kGsoTcpV4 && kind != kGsoTcpV6) return std::nullopt;
    meta.gso = kind == kGsoTcpV4 ? net::Gso::TcpV4 : net::Gso::TcpV6;
    meta.ecn = (type & kGsoEcn) != 0;
    meta.header_length = get(header, 2);
    meta.gso_size = get(header, 4);
  }
  if (!agreed.accepts(meta)) return std::nullopt;
  return meta;
}

std::array<std::byte, kHeaderBytes> encode_header(const net::FrameMeta& meta,
                                                  std::uint16_t buffers) noexcept {
  std::array<std::byte, kHeaderBytes> header{};
  if (meta.needs_checksum) {
    header[0] = std::byte{kNeedsChecksum};
    put(header, 6, meta.checksum_start);
    put(header, 8, meta.checksum_offset);
  } else if (meta.checksum_valid) {
    header[0] = std::byte{kDataValid};
  }
  if (meta.gso != net::Gso::None) {
    const std::uint8_t kind = meta.gso == net::Gso::TcpV4 ? kGsoTcpV4 : kGsoTcpV6;
    header[1] = static_cast<std::byte>(kind | (meta.ecn ? kGsoEcn : 0));
    put(header, 2, meta.header_length);
    put(header, 4, meta.gso_size);
  }
  put(header, 10, buffers);
  return header;
}

}  // namespace capsa::virtio::nic
