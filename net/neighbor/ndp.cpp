#include <net/neighbor/ndp.hpp>
#include <net/packet/wire.hpp>

namespace capsa::net::neighbor {
namespace {

constexpr std::uint8_t kHopLimit = 255;

// Options (RFC 4861, 4.6; RFC 8106, 5.1). Lengths are in units of eight bytes.
constexpr std::uint8_t kSourceLinkLayer = 1, kTargetLinkLayer = 2, kPrefixInformation = 3,
                       kMtuOption = 5, kRdnss = 25;
constexpr std::size_t kUnit = 8;

// Where options begin, from the first byte of the ICMPv6 header.
constexpr std::size_t kNeighborHeader = 24, kRouterSolicitationHeader = 8;
constexpr std::size_t kTarget = 8;

constexpr std::uint32_t kRouter = 0x8000'0000, kSolicited = 0x4000'0000, kOverride = 0x2000'0000;

std::span<const std::byte> message_of(std::span<const std::byte> frame, const Packet& packet) {
  return frame.subspan(packet.transport, packet.end - packet.transport);
}

std::size_t header_of(std::uint8_t type) {
  return type == icmp_type::kV6NeighborSolicitation ? kNeighborHeader : kRouterSolicitationHeader;
}

/// `link_layer` becomes true where the source's address is among them.
bool options_valid(std::span<const std::byte> options, bool& link_layer) {
  while (!options.empty()) {
    if (options.size() < kUnit) return false;
    const std::size_t length = wire::load8(options, 1) * kUnit;
    if (length == 0 || length > options.size()) return false;
    link_layer = link_layer || wire::load8(options, 0) == kSourceLinkLayer;
    options = options.subspan(length);
  }
  return true;
}

/// ff02::1:ff00:0/104 with the last three bytes of the target (RFC 4291, 2.7.1).
bool is_solicited_node(const IpAddress& group, const IpAddress& target) {
  static constexpr IpAddress kPrefix = IpAddress::v6({0xff02, 0, 0, 0, 0, 1, 0xff00, 0});
  for (std::size_t i = 0; i < 16; ++i) {
    if (group.bytes()[i] != (i < 13 ? kPrefix : target).bytes()[i]) return false;
  }
  return true;
}

void put_address(std::vector<std::byte>& out, const IpAddress& address) {
  for (const std::uint8_t byte : address.bytes())
    out.push_back(std::byte{byte});
}

void put(std::vector<std::byte>& out, std::initializer_list<std::uint32_t> words) {
  for (const std::uint32_t word : words) {
    out.resize(out.size() + 4);
    wire::store32(out, out.size() - 4, word);
  }
}

void put_link_layer(std::vector<std::byte>& out, std::uint8_t type, const MacAddress& mac) {
  out.push_back(std::byte{type});
  out.push_back(std::byte{1});
  for (const std::uint8_t byte : mac.bytes())
    out.push_back(std::byte{byte});
}

std::uint32_t option_word(std::uint8_t type, std::size_t units, std::uint32_t rest = 0) {
  return std::uint32_t{type} << 24 | static_cast<std::uint32_t>(units) << 16 | rest;
}

}  // namespace

bool is_valid_ndp(std::span<const std::byte> frame, const Packet& packet) noexcept {
  if (packet.kind != PacketKind::Ipv6 || !packet.is_icmp() || packet.fragment ||
      packet.ttl != kHopLimit || packet.icmp_code != 0 || packet.source_mac.is_multicast() ||
      packet.from.is_multicast())
    return false;
  const auto message = message_of(frame, packet);
  const std::size_t header = header_of(packet.icmp_type);
  bool link_layer = false;
  if (message.size() < header || !options_valid(message.subspan(header), link_layer)) return false;
  if (packet.from.is_unspecified() && link_layer) return false;
  return transport_checksum_ok(frame, packet);
}

std::optional<IpAddress> solicited_target(std::span<const std::byte> frame,
                                          const Packet& packet) noexcept {
  if (packet.icmp_type != icmp_type::kV6NeighborSolicitation || !is_valid_ndp(frame, packet))
    return std::nullopt;
  const IpAddress target = wire::load_v6(message_of(frame, packet), kTarget);
  if (target.is_multicast()) return std::nullopt;
  if (packet.to != target && !is_solicited_node(packet.to, target)) return std::nullopt;
  if (packet.from.is_unspecified() && packet.to == target) return std::nullopt;
  return target;
}

bool is_router_solicitation(std::span<const std::byte> frame, const Packet& packet) noexcept {
  return packet.icmp_type == icmp_type::kV6RouterSolicitation && is_valid_ndp(frame, packet);
}

FrameBytes neighbor_advertisement(const Packet& solicitation, const MacAddress& mac,
                                  const IpAddress& address) {
  const bool to_all = solicitation.from.is_unspecified();
  std::vector<std::byte> body;
  put_address(body, address);
  put_link_layer(body, kTargetLinkLayer, mac);
  const EthernetFields ethernet{to_all ? multicast_mac(kAllNodes) : solicitation.source_mac, mac};
  const IpFields ip{address, to_all ? kAllNodes : solicitation.from, kHopLimit};
  return build_icmp(ethernet, ip, icmp_type::kV6NeighborAdvertisement, 0,
                    kRouter | (to_all ? 0 : kSolicited) | kOverride, body);
}

FrameBytes router_advertisement(const RouterFields& fields, const MacAddress& mac,
                                const MacAddress& to) {
  // The second word of the header: hop limit for guests, no flags (addresses are not from DHCP).
  const auto lifetime = static_cast<std::uint32_t>(kRouterLifetime.count());
  const std::uint32_t rest = 64U << 24 | (fields.default_router ? lifetime : 0);
  std::vector<std::byte> body;
  put(body, {0, 0});  // times of which a guest has its own opinion
  put_link_layer(body, kSourceLinkLayer, mac);
  put(body, {option_word(kMtuOption, 1), fields.mtu});
  // On this link, and to make addresses of: a day valid, four hours preferred.
  constexpr std::uint32_t kOnLinkAndAutonomous = 0xc0;
  put(body, {option_word(kPrefixInformation, 4, fields.prefix.prefix() << 8 | kOnLinkAndAutonomous),
             86400, 14400, 0});
  put_address(body, fields.prefix.address());
  std::vector<std::byte> resolvers;
  for (const IpAddress& resolver : fields.resolvers) {
    if (resolver.is_v6() && resolvers.size() < 3 * 16) put_address(resolvers, resolver);
  }
  if (!resolvers.empty()) {
    put(body, {option_word(kRdnss, 1 + resolvers.size() / kUnit), lifetime});
    body.insert(body.end(), resolvers.begin(), resolvers.end());
  }
  return build_icmp({to, mac}, {fields.link_local, kAllNodes, kHopLimit},
                    icmp_type::kV6RouterAdvertisement, 0, rest, body);
}

MacAddress multicast_mac(const IpAddress& group) noexcept {
  const auto bytes = group.bytes();
  return MacAddress({0x33, 0x33, bytes[12], bytes[13], bytes[14], bytes[15]});
}

}  // namespace capsa::net::neighbor
