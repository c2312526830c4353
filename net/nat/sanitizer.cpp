#include <net/nat/sanitizer.hpp>
#include <net/packet/wire.hpp>

namespace capsa::net::nat {
namespace {

constexpr std::size_t kTcpFlags = 13;
constexpr std::size_t kTcpChecksum = 16;
constexpr std::size_t kTcpUrgent = 18;

// What libslirp answers by itself where it is sent to the gateway.
constexpr std::uint16_t kTftp = 69;
constexpr std::uint16_t kDhcpServer = 67, kDhcpClient = 68;
constexpr std::uint16_t kDhcp6Client = 546, kDhcp6Server = 547;

bool is_host_service(std::uint16_t port) {
  return port == kTftp || port == kDhcpServer || port == kDhcpClient || port == kDhcp6Client ||
         port == kDhcp6Server;
}

/// RFC 1624, equation 3: `checksum` after one word of what it covers has changed.
std::uint16_t adjust(std::uint16_t checksum, std::uint16_t before, std::uint16_t after) {
  std::uint32_t sum = static_cast<std::uint16_t>(~checksum);
  sum += static_cast<std::uint16_t>(~before);
  sum += after;
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return static_cast<std::uint16_t>(~sum);
}

/// Of IPv6 addresses those that stand for an IPv4 one and are never on a wire: v4-mapped (a socket
/// would take it for IPv4), v4-compatible, v4-translated.
bool is_v4_in_disguise(const IpAddress& address) {
  return address.is_v6() && address.bytes()[0] == 0 && address.bytes()[1] == 0 &&
         address.embedded_v4().has_value();
}

}  // namespace

void Sanitizer::set_host_addresses(const std::vector<IpAddress>& addresses) {
  host_ = {addresses.begin(), addresses.end()};
}

Verdict Sanitizer::check_frame(std::span<const std::byte> frame, Packet& packet) const {
  const auto parsed = parse(frame);
  const auto* found = std::get_if<Packet>(&parsed);
  if (found == nullptr) return Verdict::Malformed;
  packet = *found;
  if (!packet.is_ip()) return Verdict::NotIp;
  if (packet.has_ip_options) return Verdict::IpOptions;
  if (packet.fragment) return Verdict::Fragment;
  if (!packet.is_tcp() && !packet.is_udp() && !packet.is_echo_request())
    return Verdict::UnknownProtocol;
  if (packet.source_mac.is_multicast() || packet.source_mac.is_zero())
    return Verdict::ForeignSource;
  if (!is_inside(packet.from) || is_gateway(packet.from)) return Verdict::ForeignSource;
  const IpNetwork& net = packet.from.is_v4() ? config_.subnet : *config_.prefix6;
  if (packet.from == net.address() || (packet.from.is_v4() && packet.from == net.last()))
    return Verdict::ForeignSource;
  // Of libslirp's tables port 0 is nobody's, and sockets cannot send there.
  if (!packet.is_icmp() && (packet.from_port == 0 || packet.to_port == 0)) return Verdict::BadPort;
  return Verdict::Pass;
}

Verdict Sanitizer::check_destination(const Packet& packet) const {
  // No rule opens these: it is libslirp that would answer, not the host.
  const bool to_gateway = is_gateway(packet.to);
  if (to_gateway && packet.is_udp() && is_host_service(packet.to_port)) return Verdict::HostService;
  if (to_gateway) return config_.host_loopback ? Verdict::Pass : Verdict::HostLoopback;
  // Whatever address of the virtual network is not a guest's, libslirp takes for the host.
  if (is_inside(packet.to)) return Verdict::VirtualSubnet;
  Verdict verdict = forbidden(packet.to);
  if (verdict == Verdict::Pass) {
    // An address of another family behind it is judged as well: 64:ff9b::7f00:1, 2002:7f00:1::
    if (const auto inner = packet.to.embedded_v4()) {
      verdict = is_inside(*inner) ? Verdict::VirtualSubnet : forbidden(*inner);
    }
  }
  if (verdict == Verdict::Pass) return verdict;
  // Neither can a socket of ours have these as the other end of anything.
  if (verdict == Verdict::Multicast || verdict == Verdict::Reserved) return verdict;
  return allow_ && allow_(packet) ? Verdict::Pass : verdict;
}

Verdict Sanitizer::forbidden(const IpAddress& to) const {
  if (is_v4_in_disguise(to)) {
    const IpAddress inner = *to.embedded_v4();
    const Verdict verdict = forbidden(inner);
    return verdict == Verdict::Pass ? Verdict::Reserved : verdict;
  }
  // Linux takes 0.0.0.0 and :: for the host, and all of 0/8 is "this network" (RFC 1122, 3.2.1.3).
  if (to.is_loopback() || to.is_unspecified()) return Verdict::HostLoopback;
  if (to.is_v4() && to.to_v4() >> 24 == 0) return Verdict::HostLoopback;
  if (to.is_multicast() || to.is_broadcast()) return Verdict::Multicast;
  if (to.is_link_local()) return Verdict::LinkLocal;
  if (to.is_v4() && to.to_v4() >> 28 == 0xf) return Verdict::Reserved;
  if (host_.contains(to)) return Verdict::HostAddress;
  return Verdict::Pass;
}

bool Sanitizer::is_gateway(const IpAddress& to) const noexcept {
  return to == config_.gateway || (config_.gateway6 && to == *config_.gateway6);
}

bool Sanitizer::is_inside(const IpAddress& address) const noexcept {
  return config_.subnet.contains(address) ||
         (config_.prefix6 && config_.prefix6->contains(address));
}

void Sanitizer::clean(std::span<std::byte> frame, Packet& packet) noexcept {
  if (!packet.is_tcp()) return;
  const auto tcp = frame.subspan(packet.transport);
  const std::uint16_t urgent = wire::load16(tcp, kTcpUrgent);
  if ((packet.tcp_flags & tcp_flag::kUrg) == 0 && urgent == 0) return;
  const std::uint16_t before = wire::load16(tcp, kTcpFlags - 1);
  const auto after = static_cast<std::uint16_t>(before & ~tcp_flag::kUrg);
  std::uint16_t checksum = wire::load16(tcp, kTcpChecksum);
  checksum = adjust(checksum, before, after);
  checksum = adjust(checksum, urgent, 0);
  wire::store16(tcp, kTcpFlags - 1, after);
  wire::store16(tcp, kTcpUrgent, 0);
  wire::store16(tcp, kTcpChecksum, checksum);
  packet.tcp_flags &= static_cast<std::uint8_t>(~tcp_flag::kUrg);
}

}  // namespace capsa::net::nat
