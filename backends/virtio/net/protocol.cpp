#include <algorithm>
#include <backends/virtio/net/protocol.hpp>
#include <net/vnet_header.hpp>

namespace capsa::virtio::nic {
namespace {

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
  auto meta = net::decode_vnet_header(header.first<net::kVnetHeaderBytes>());
  if (!meta || !agreed.accepts(*meta)) return std::nullopt;
  // What a guest says is valid is no reason to believe it (5.1.6.2.2).
  meta->checksum_valid = false;
  return meta;
}

std::array<std::byte, kHeaderBytes> encode_header(const net::FrameMeta& meta,
                                                  std::uint16_t buffers) noexcept {
  std::array<std::byte, kHeaderBytes> header{};
  const auto common = net::encode_vnet_header(meta);
  std::copy(common.begin(), common.end(), header.begin());
  header[net::kVnetHeaderBytes] = static_cast<std::byte>(buffers);
  header[net::kVnetHeaderBytes + 1] = static_cast<std::byte>(buffers >> 8);
  return header;
}

}  // namespace capsa::virtio::nic
