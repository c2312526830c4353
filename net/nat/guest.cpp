#include <algorithm>
#include <net/gso/mss.hpp>
#include <net/nat/fragment.hpp>
#include <net/nat/guest.hpp>
#include <net/nat/large_segments.hpp>
#include <net/nat/sanitizer.hpp>
#include <net/packet/build.hpp>
#include <net/packet/wire.hpp>

namespace capsa::net::nat {
namespace {

/// Of the tables in libslirp, which forget the oldest.
constexpr std::size_t kAddresses = 16;
// How long a UDP socket has been idle that makes way for a new one, and how often is looked for
// such: a guest that floods is not to have all of them looked at for each datagram.
constexpr std::chrono::seconds kUdpIdle{30};
constexpr std::chrono::seconds kUdpExpiry{1};
/// Linux' least MSS. It bounds into how many segments one of ours is cut.
constexpr std::uint16_t kLeastMss = 88;
constexpr std::uint16_t kTcpIpv4 = 40, kTcpIpv6 = 60;
constexpr std::uint8_t kV6TimeExceeded = 3, kTimeExceeded = 11;  // RFC 4443, RFC 792
constexpr std::uint32_t kSolicited = 0x60000000;                 // RFC 4861, 4.4: S and O

/// RFC 4861, 4.4, with the target's link-layer address.
std::vector<std::byte> advertisement(const MacAddress& mac, const IpAddress& address,
                                     const IpAddress& to) {
  std::vector<std::byte> body(24);
  wire::store_address(body, 0, address);
  wire::store8(body, 16, 2);
  wire::store8(body, 17, 1);
  wire::store_mac(body, 18, mac);
  return build_icmp({MacAddress::broadcast(), mac}, {address, to, 255},
                    icmp_type::kV6NeighborAdvertisement, 0, kSolicited, body);
}

}  // namespace

result<std::unique_ptr<Guest>> Guest::create(const NatConfig& config, const MacAddress& mac,
                                             GuestListener& listener, NatStats& stats,
                                             TimePoint now) {
  std::unique_ptr<Guest> guest(new Guest(config, mac, listener, stats));
  auto session = SlirpSession::create(config, *guest, now);
  if (!session) return session.error();
  guest->session_ = std::move(*session);
  guest->last_used_ = now;
  return guest;
}

// -- from the guest

Verdict Guest::input(Frame& frame, Packet& packet, TimePoint now) {
  last_used_ = now;
  Verdict verdict = flows_.admit(packet);
  if (verdict == Verdict::PingLimit) {
    if (const auto fd = flows_.impatient_ping(now)) session_->give_up(*fd);
    verdict = flows_.admit(packet);
  }
  if (verdict == Verdict::UdpLimit && now - udp_expired_ >= kUdpExpiry) {
    udp_expired_ = now;
    session_->expire_udp(kUdpIdle, now);
    verdict = flows_.admit(packet);
  }
  if (verdict != Verdict::Pass) return verdict;
  if (flows_.opens(packet) && !listener_.may_open()) return Verdict::SocketLimit;

  const bool large = frame.meta().gso != Gso::None;
  if (!complete(frame, packet)) return Verdict::Malformed;
  Sanitizer::clean(frame.bytes(), packet);
  announce(packet.from, now);
  std::uint16_t mss = 0;
  const bool syn = packet.is_tcp() && (packet.tcp_flags & tcp_flag::kSyn) != 0;
  if (syn) {
    mss = announced_mss(frame.bytes(), packet).value_or(TcpFlow::kDefaultMss);
    mss = std::clamp(mss, kLeastMss, largest_mss(packet.kind == PacketKind::Ipv6));
    if (config_.large_segments) gso::set_mss(frame, kLargeMss);
  }
  ++stats_.frames_in;
  if (large) ++stats_.large_in;
  touched_ = true;
  flows_.begin(packet, now, mss);
  session_->input(frame.bytes().first(packet.end), now);
  flows_.end();
  return Verdict::Pass;
}

/// libslirp learns the guest's addresses from ARP and neighbour discovery only, which it does not
/// get to see.
void Guest::announce(const IpAddress& address, TimePoint now) {
  if (!announced_.empty() && announced_.back() == address) return;
  if (std::find(announced_.begin(), announced_.end(), address) != announced_.end()) return;
  if (announced_.size() == kAddresses) announced_.pop_front();
  announced_.push_back(address);
  const EthernetFields ethernet{MacAddress::broadcast(), mac_};
  if (address.is_v4())
    session_->input(build_arp(ethernet, {1, mac_, address, {}, address}), now);
  else
    session_->input(advertisement(mac_, address, *config_.gateway6), now);
}

void Guest::step(TimePoint now) {
  const auto deadline = next_deadline();
  if (!touched_ && (!deadline || *deadline > now)) return;
  touched_ = false;
  if (!idle()) last_used_ = now;
  session_->dispatch(now);
  if (answers_.empty()) return;
  // What waits for an address goes out at the next dispatch. It cannot go round for ever: an answer
  // is given only to a question, and libslirp asks once a second.
  for (const auto& frame : std::exchange(answers_, {}))
    session_->input(frame, now);
  session_->dispatch(now);
}

std::optional<TimePoint> Guest::next_deadline() const noexcept {
  return session_->next_deadline();
}

// -- to the guest

void Guest::frame(std::span<const std::byte> bytes) {
  const auto parsed = parse(bytes);
  const auto* found = std::get_if<Packet>(&parsed);
  if (found == nullptr) {
    ++stats_.unfit;
    return;
  }
  Packet packet = *found;
  if (packet.kind == PacketKind::Arp) return answer(packet, bytes);
  if (packet.is_icmp() && packet.icmp_type == icmp_type::kV6NeighborSolicitation &&
      packet.kind == PacketKind::Ipv6)
    return answer(packet, bytes);
  if (!is_fit(packet)) {
    ++stats_.unfit;
    return;
  }
  if (!flows_.expects(packet)) {
    ++stats_.unasked;
    return;
  }
  deliver(bytes, packet);
}

/// libslirp looks for an address of the guest.
void Guest::answer(const Packet& packet, std::span<const std::byte> bytes) {
  if (answers_.size() >= kAddresses) return;
  if (packet.kind == PacketKind::Arp) {
    if (packet.arp_operation != 1 || !config_.subnet.contains(packet.to)) return;
    answers_.push_back(build_arp({packet.source_mac, mac_},
                                 {2, mac_, packet.to, packet.arp_sender_mac, packet.from}));
    return;
  }
  // RFC 4861, 4.3: the target is behind a reserved word.
  if (!config_.gateway6 || packet.end < packet.transport + 24) return;
  const IpAddress target = wire::load_v6(bytes, packet.transport + 8);
  if (config_.prefix6->contains(target))
    answers_.push_back(advertisement(mac_, target, *config_.gateway6));
}

/// Router advertisements and whatever else libslirp says by itself are not for guests.
bool Guest::is_fit(const Packet& packet) const {
  if (packet.from.is_loopback() || packet.from.is_unspecified() || packet.from.is_multicast())
    return false;
  if (packet.to.is_multicast() || packet.to.is_broadcast()) return false;
  if (packet.fragment || packet.has_ip_options) return false;
  if (packet.is_tcp() || packet.is_udp() || packet.is_echo_reply()) return true;
  if (!packet.is_icmp()) return false;
  if (packet.kind == PacketKind::Ipv4)
    return packet.icmp_type == icmp_type::kUnreachable || packet.icmp_type == kTimeExceeded;
  return packet.icmp_type == icmp_type::kV6Unreachable ||
         packet.icmp_type == icmp_type::kV6TooBig || packet.icmp_type == kV6TimeExceeded;
}

void Guest::deliver(std::span<const std::byte> bytes, Packet& packet) {
  Frame frame = pool_->make(bytes.first(packet.end));
  if (!frame) {
    ++stats_.no_room;
    return;
  }
  wire::store_mac(frame.bytes(), 0, mac_);
  wire::store_mac(frame.bytes(), MacAddress::kSize, config_.gateway_mac);
  if (packet.is_tcp()) {
    const TcpFlow* flow = flows_.tcp(key_of_incoming(packet));
    const std::uint16_t mss = flow != nullptr ? flow->guest_mss : TcpFlow::kDefaultMss;
    // Of a SYN that the guest has not answered yet nothing is known but its MTU.
    if ((packet.tcp_flags & tcp_flag::kSyn) != 0)
      gso::set_mss(frame, largest_mss(packet.kind == PacketKind::Ipv6));
    mark_for_cutting(frame, packet, mss);
    if (frame.meta().gso != Gso::None) ++stats_.large_out;
  } else if (packet.end - packet.network > config_.guest_mtu) {
    FrameBatch pieces = pool_->batch();
    if (!fragment(frame, packet, config_.guest_mtu, ++identification_, *pool_, pieces)) {
      ++stats_.no_room;
      return;
    }
    for (Frame& piece : pieces) {
      ++stats_.frames_out;
      listener_.deliver(std::move(piece));
    }
    return;
  } else {
    frame.meta().checksum_valid = true;
  }
  ++stats_.frames_out;
  listener_.deliver(std::move(frame));
}

std::uint16_t Guest::largest_mss(bool ipv6) const noexcept {
  return static_cast<std::uint16_t>(std::max<int>(config_.guest_mtu, 576) -
                                    (ipv6 ? kTcpIpv6 : kTcpIpv4));
}

bool Guest::may_read(int fd) {
  if (!flows_.may_read(fd)) return false;
  if (flows_.is_forward(fd) && !listener_.may_open()) return false;
  return pool_->stats().bytes_in_use < kPoolCap / 2;
}

// -- descriptors

void Guest::opened(int fd) {
  listener_.opened(fd);
  if (!opening_) return flows_.opened(fd);
  opened_forward_ = fd;
  if (opening_->protocol == ForwardProtocol::Udp)
    flows_.opened_forward(fd, Endpoint{opening_->guest_address, opening_->guest_port});
  else
    flows_.opened_forward(fd, std::nullopt);
}

void Guest::closing(int fd) {
  flows_.closing(fd);
  listener_.closing(fd);
}

result<std::uint16_t> Guest::open_forward(const ForwardSpec& spec, TimePoint now) {
  last_used_ = now;
  opening_ = spec;
  opened_forward_ = -1;
  auto port = add_forward(*session_, spec, opened_forward_);
  opening_.reset();
  touched_ = true;
  return port;
}

void Guest::close_forward(const ForwardSpec& spec, std::uint16_t host_port) {
  remove_forward(*session_, spec, host_port);
  touched_ = true;
}

}  // namespace capsa::net::nat
