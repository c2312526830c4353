#include <net/neighbor/arp.hpp>
#include <net/neighbor/gateway.hpp>
#include <utility>
#include <variant>

namespace capsa::net::neighbor {
namespace {

using namespace std::chrono_literals;

/// Whether somebody vouches for the transport checksum, or it is right.
bool is_intact(std::span<const std::byte> frame, const Packet& packet, const FrameMeta& meta) {
  return meta.needs_checksum || meta.checksum_valid || transport_checksum_ok(frame, packet);
}

constexpr std::uint16_t kDnsPort = 53;
constexpr std::uint16_t kDhcpV6ServerPort = 547;

// A flood of pings is none of our business, answering it is: enough for any use, and little beside
// what a guest's frames cost anyway.
constexpr std::int64_t kAnswerBurst = 256;
constexpr auto kAnswerInterval = 1ms;
// Linux sends three solicitations, four seconds apart.
constexpr std::int64_t kAdvertisementBurst = 4;
constexpr auto kAdvertisementIntervalPerGuest = 1s;

}  // namespace

Gateway::Gateway(GatewayOptions options, dhcp::Server* dhcp, dns::DnsStub* dns)
    : options_(std::move(options)),
      dhcp_(dhcp),
      dns_(dns),
      answers_(kAnswerBurst, kAnswerInterval),
      advertisements_(kAdvertisementBurst, kAdvertisementIntervalPerGuest) {
  if (dns_ != nullptr) dns_tcp_.emplace(*dns_, options_.dns_tcp);
}

bool Gateway::is_ours(const IpAddress& address) const noexcept {
  return address == options_.address || (options_.ipv6 && (address == options_.ipv6->link_local ||
                                                           address == options_.ipv6_address));
}

bool Gateway::on_frame(std::span<const std::byte> frame, const FrameMeta& meta, Time now,
                       const Output& out) {
  const auto parsed = parse(frame);
  const auto* packet = std::get_if<Packet>(&parsed);
  if (packet == nullptr) {
    ++stats_.malformed;
    return true;
  }
  if (packet->destination_mac != options_.mac && !packet->destination_mac.is_multicast()) {
    ++stats_.foreign;
    return true;
  }
  if (packet->kind == PacketKind::Arp) return on_arp(*packet, now, out);
  // Services speak in datagrams that fit a frame; what comes in pieces is not for them.
  if (packet->fragment) return false;
  if (packet->is_icmp()) return on_icmp(frame, *packet, now, out);
  if (packet->is_udp()) return on_udp(frame, *packet, meta, now, out);
  if (packet->is_tcp()) return on_tcp(frame, *packet, meta, now, out);
  return false;
}

bool Gateway::on_arp(const Packet& packet, Time now, const Output& out) {
  // Replies are for the NAT, which may have asked.
  if (packet.arp_operation != 1) return false;
  auto reply = answer_arp(packet, options_.mac, options_.address);
  if (reply && allowed(answers_, packet, now)) answer(out, std::move(*reply));
  return true;
}

bool Gateway::on_icmp(std::span<const std::byte> frame, const Packet& packet, Time now,
                      const Output& out) {
  if (packet.kind == PacketKind::Ipv6 && packet.icmp_type >= icmp_type::kV6RouterSolicitation &&
      packet.icmp_type <= icmp_type::kV6Redirect)
    return on_ndp(frame, packet, now, out);
  if (!packet.is_echo_request() || !is_ours(packet.to)) return false;
  if (!transport_checksum_ok(frame, packet)) {
    ++stats_.malformed;
    return true;
  }
  auto reply = echo_reply_for(frame, packet);
  if (reply && allowed(answers_, packet, now)) answer(out, std::move(*reply));
  return true;
}

bool Gateway::on_ndp(std::span<const std::byte> frame, const Packet& packet, Time now,
                     const Output& out) {
  switch (packet.icmp_type) {
    case icmp_type::kV6NeighborSolicitation: {
      const auto target = solicited_target(frame, packet);
      if (!target) {
        ++stats_.malformed;
      } else if (is_ours(*target) && allowed(answers_, packet, now)) {
        answer(out, neighbor_advertisement(packet, options_.mac, *target));
      }
      return true;
    }
    case icmp_type::kV6RouterSolicitation:
      if (!is_router_solicitation(frame, packet)) {
        ++stats_.malformed;
      } else if (options_.ipv6 && allowed(advertisements_, packet, now)) {
        answer(out, router_advertisement(*options_.ipv6, options_.mac, packet.source_mac));
      }
      return true;
    case icmp_type::kV6NeighborAdvertisement:
      return false;  // for the NAT, which may have asked
    default:
      ++stats_.dropped;
      return true;
  }
}

bool Gateway::on_udp(std::span<const std::byte> frame, const Packet& packet, const FrameMeta& meta,
                     Time now, const Output& out) {
  const bool to_dhcp = packet.to_port == dhcp::kServerPort && packet.kind == PacketKind::Ipv4 &&
                       (packet.to.is_broadcast() || packet.to == options_.address);
  const bool to_dns = packet.to_port == kDnsPort && is_ours(packet.to);
  if (packet.kind == PacketKind::Ipv6 && packet.to_port == kDhcpV6ServerPort) {
    ++stats_.dropped;  // addresses and resolvers are advertised; nobody behind us serves it
    return true;
  }
  if (!to_dhcp && !to_dns) return false;
  if (!is_intact(frame, packet, meta)) {
    ++stats_.malformed;
    return true;
  }
  const auto payload = packet.payload_of(frame);
  if (to_dhcp) {
    on_dhcp(payload, packet, now, out);
  } else if (dns_ != nullptr) {
    ++stats_.questions;
    dns_->on_query({owner_of(packet.source_mac), packet.from, packet.from_port, dns::Transport::Udp,
                    0, packet.to},
                   payload, now);
  }
  return true;
}

bool Gateway::on_tcp(std::span<const std::byte> frame, const Packet& packet, const FrameMeta& meta,
                     Time now, const Output& out) {
  if (!dns_tcp_ || packet.to_port != DnsTcp::kPort || !is_ours(packet.to) ||
      packet.destination_mac.is_multicast())
    return false;
  if (!is_intact(frame, packet, meta)) {
    ++stats_.malformed;
    return true;
  }
  dns_tcp_->on_segment({owner_of(packet.source_mac), packet.from, packet.from_port,
                        dns::Transport::Tcp, 0, packet.to},
                       frame, packet, now, out);
  return true;
}

void Gateway::on_dhcp(std::span<const std::byte> payload, const Packet& packet, Time now,
                      const Output& out) {
  if (dhcp_ == nullptr || !allowed(answers_, packet, now)) return;
  const auto reply = dhcp_->on_message(packet.source_mac, payload, now);
  if (!reply) return;
  answer(out, build_udp({reply->mac, options_.mac}, {options_.address, reply->address},
                        dhcp::kServerPort, dhcp::kClientPort, reply->payload));
}

void Gateway::dns_reply(const dns::Client& client, std::span<const std::byte> message, Time now,
                        const Output& out) {
  if (client.transport == dns::Transport::Tcp) {
    if (dns_tcp_) dns_tcp_->reply(client, message, now, out);
    return;
  }
  out(build_udp({mac_of(client.owner), options_.mac}, {client.server, client.address}, kDnsPort,
                client.port, message));
}

void Gateway::forget(const MacAddress& guest) {
  const auto owner = owner_of(guest);
  if (dns_tcp_) dns_tcp_->forget(owner);
  if (dns_ != nullptr)
    dns_->forget([owner](const dns::Client& client) { return client.owner == owner; });
}

bool Gateway::allowed(RateLimit& limit, const Packet& packet, Time now) {
  if (limit.take(packet.source_mac, now)) return true;
  ++stats_.limited;
  return false;
}

void Gateway::answer(const Output& out, FrameBytes frame) {
  ++stats_.answered;
  out(std::move(frame));
}

std::uint64_t Gateway::owner_of(const MacAddress& mac) noexcept {
  std::uint64_t owner = 0;
  for (const std::uint8_t byte : mac.bytes())
    owner = owner << 8 | byte;
  return owner;
}

MacAddress Gateway::mac_of(std::uint64_t owner) noexcept {
  std::array<std::uint8_t, MacAddress::kSize> bytes{};
  for (std::size_t i = bytes.size(); i > 0; --i, owner >>= 8)
    bytes[i - 1] = static_cast<std::uint8_t>(owner);
  return MacAddress(bytes);
}

// -- time

std::optional<Gateway::Time> Gateway::next_deadline() const {
  auto next = dns_tcp_ ? dns_tcp_->next_deadline() : std::nullopt;
  if (options_.ipv6 && (!next || next_advertisement_ < *next)) next = next_advertisement_;
  return next;
}

void Gateway::on_deadline(Time now, const Output& out) {
  if (dns_tcp_) dns_tcp_->on_deadline(now, out);
  if (!options_.ipv6 || now < next_advertisement_) return;
  next_advertisement_ = now + kAdvertisementInterval;
  answer(out, router_advertisement(*options_.ipv6, options_.mac, multicast_mac(kAllNodes)));
}

}  // namespace capsa::net::neighbor
