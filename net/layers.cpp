#include <net/layers.hpp>

namespace capsa::net {
namespace {

constexpr std::uint16_t kEtherIpv4 = 0x0800;
constexpr std::uint16_t kEtherIpv6 = 0x86dd;
constexpr std::uint16_t kEtherVlan = 0x8100;         // IEEE 802.1Q
constexpr std::uint16_t kEtherServiceVlan = 0x88a8;  // IEEE 802.1ad
constexpr int kMaxTags = 2;
/// RFC 8200 has four kinds that may precede a transport, and says that each comes once or twice.
constexpr int kMaxExtensions = 8;

std::uint8_t byte_at(std::span<const std::byte> frame, std::size_t at) {
  return std::to_integer<std::uint8_t>(frame[at]);
}

std::uint16_t word_at(std::span<const std::byte> frame, std::size_t at) {
  return static_cast<std::uint16_t>(byte_at(frame, at) << 8 | byte_at(frame, at + 1));
}

bool find_ipv4(std::span<const std::byte> frame, Layers& layers) {
  const std::size_t at = layers.network;
  if (frame.size() < at + 20 || byte_at(frame, at) >> 4 != 4) return false;
  const std::size_t length = (byte_at(frame, at) & 0x0fU) * std::size_t{4};
  if (length < 20 || frame.size() < at + length) return false;
  // More fragments, or an offset (RFC 791, 3.1).
  layers.fragment = (word_at(frame, at + 6) & 0x3fff) != 0;
  layers.protocol = byte_at(frame, at + 9);
  layers.transport = at + length;
  return true;
}

bool find_ipv6(std::span<const std::byte> frame, Layers& layers) {
  std::size_t at = layers.network;
  if (frame.size() < at + 40 || byte_at(frame, at) >> 4 != 6) return false;
  layers.ipv6 = true;
  std::uint8_t next = byte_at(frame, at + 6);
  at += 40;
  for (int extensions = 0; extensions < kMaxExtensions; ++extensions) {
    // Hop-by-hop, routing, destination options; fragment (RFC 8200, 4).
    const bool fragment = next == 44;
    if (next != 0 && next != 43 && next != 60 && !fragment) break;
    if (frame.size() < at + 8) return false;
    if (fragment) layers.fragment = true;
    next = byte_at(frame, at);
    at += fragment ? 8 : (byte_at(frame, at + 1) + std::size_t{1}) * 8;
    if (frame.size() < at) return false;
  }
  layers.protocol = next;
  layers.transport = at;
  return true;
}

}  // namespace

std::size_t ethernet_header_length(std::span<const std::byte> frame) noexcept {
  std::size_t length = 14;
  for (int tags = 0; tags < kMaxTags && frame.size() >= length; ++tags) {
    const std::uint16_t type = word_at(frame, length - 2);
    if (type != kEtherVlan && type != kEtherServiceVlan) break;
    length += 4;
  }
  return length;
}

std::optional<Layers> find_layers(std::span<const std::byte> frame) noexcept {
  Layers layers;
  layers.network = ethernet_header_length(frame);
  if (frame.size() < layers.network) return std::nullopt;
  const std::uint16_t type = word_at(frame, layers.network - 2);
  if (type == kEtherIpv4 && find_ipv4(frame, layers)) return layers;
  if (type == kEtherIpv6 && find_ipv6(frame, layers)) return layers;
  return std::nullopt;
}

}  // namespace capsa::net
