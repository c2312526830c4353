#include <backends/virtio/net/steering.hpp>
#include <cstring>
#include <net/layers.hpp>

namespace capsa::virtio::nic {

std::size_t Steering::slot(std::span<const std::byte> frame) noexcept {
  const auto layers = net::find_layers(frame);
  if (!layers) return kSlots;
  // Sums do not care which address is the sender's.
  std::uint32_t hash = layers->protocol;
  const std::size_t addresses = layers->network + (layers->ipv6 ? 8 : 12);
  const std::size_t words = layers->ipv6 ? 8 : 2;
  for (std::size_t at = 0; at < words; ++at) {
    std::uint32_t word;
    std::memcpy(&word, frame.data() + addresses + at * sizeof(word), sizeof(word));
    hash += word;
  }
  const bool ports =
      (layers->protocol == net::kProtocolTcp || layers->protocol == net::kProtocolUdp) &&
      !layers->fragment && frame.size() >= layers->transport + 4;
  if (ports) {
    std::array<std::uint16_t, 2> both;
    std::memcpy(both.data(), frame.data() + layers->transport, sizeof(both));
    hash += std::uint32_t{both[0]} + both[1];
  }
  // Knuth's multiplicative hash: the top bits depend on all others.
  return (hash * 2654435761U) >> 24;
}

}  // namespace capsa::virtio::nic
