#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <capsa/detail/unique_fd.hpp>
#include <net/nat/nat.hpp>

namespace capsa::net::nat {
namespace {

/// Whether this process may ping without privileges (net.ipv4.ping_group_range). Where it may not,
/// libslirp would send UDP to port 7 instead.
bool can_ping() {
  return static_cast<bool>(UniqueFd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_ICMP)));
}

error invalid(const std::string& what, const std::string& hint) {
  return {ErrorCode::InvalidConfig, what, hint};
}

result<void> check(const NatConfig& config) {
  if (!config.subnet.address().is_v4() || config.subnet.prefix() < 8 || config.subnet.prefix() > 30)
    return invalid("NAT subnet " + config.subnet.to_string(), "give an IPv4 network of /8 to /30");
  if (!config.subnet.contains(config.gateway) || config.gateway == config.subnet.address() ||
      config.gateway == config.subnet.last())
    return invalid(
        "NAT gateway " + config.gateway.to_string() + " is not in " + config.subnet.to_string(),
        "give an address of the subnet");
  if (config.prefix6.has_value() != config.gateway6.has_value())
    return invalid("NAT has an IPv6 prefix without a gateway, or the other way round",
                   "give both or none");
  if (config.prefix6 && (!config.prefix6->address().is_v6() || config.prefix6->prefix() != 64 ||
                         !config.prefix6->contains(*config.gateway6) ||
                         *config.gateway6 == config.prefix6->address()))
    return invalid("NAT prefix " + config.prefix6->to_string(),
                   "give an IPv6 network of /64 and an address in it");
  if (config.guest_mtu < 576)
    return invalid("NAT MTU " + std::to_string(config.guest_mtu), "give 576 bytes or more");
  return {};
}

}  // namespace

Nat::Nat(const NatConfig& config, NatEdge& edge)
    : config_(config),
      edge_(edge),
      sanitizer_(config_),
      pings_(config.large_segments && can_ping()) {}

result<std::unique_ptr<Nat>> Nat::create(const NatConfig& config, NatEdge& edge) {
  if (auto checked = check(config); !checked) return checked.error();
  return std::unique_ptr<Nat>(new Nat(config, edge));
}

Nat::~Nat() = default;

// -- frames and events

void Nat::input(FrameBatch batch, TimePoint now) {
  for (Frame& frame : batch) {
    if (!frame) continue;
    Packet packet;
    const Verdict verdict = input(frame, packet, now);
    ++verdicts_[static_cast<std::size_t>(verdict)];
    if (verdict != Verdict::Pass) edge_.refused(frame, packet, verdict);
  }
}

Verdict Nat::input(Frame& frame, Packet& packet, TimePoint now) {
  Verdict verdict = sanitizer_.check_frame(frame.bytes(), packet);
  if (verdict != Verdict::Pass) return verdict;
  Guest* guest = find(packet.source_mac);
  if (guest == nullptr || !guest->flows().knows(packet)) {
    verdict = sanitizer_.check_destination(packet);
    if (verdict != Verdict::Pass) return verdict;
    // libslirp pings nobody over IPv6, and would complain about each request on stderr.
    if (packet.is_icmp() && (!pings_ || packet.from.is_v6())) return Verdict::PingUnavailable;
  }
  if (guest == nullptr) {
    const auto made = find_or_make(packet.source_mac, now);
    if (!made) return Verdict::GuestLimit;
    guest = *made;
  }
  current_ = guest;
  verdict = guest->input(frame, packet, now);
  current_ = nullptr;
  return verdict;
}

void Nat::ready(int fd, std::uint32_t events) {
  const auto at = owners_.find(fd);
  if (at != owners_.end()) at->second->ready({fd, events});
}

void Nat::step(TimePoint now) {
  for (auto& [mac, guest] : guests_) {
    current_ = guest.get();
    guest->step(now);
  }
  current_ = nullptr;
  sweep(now);
}

std::optional<TimePoint> Nat::next_deadline() const {
  std::optional<TimePoint> earliest;
  for (const auto& [mac, guest] : guests_) {
    const auto one = guest->next_deadline();
    if (one && (!earliest || *one < *earliest)) earliest = one;
  }
  return earliest;
}

void Nat::deliver(Frame frame) {
  if (out_.empty() || out_.back().full()) out_.push_back(lists_->batch());
  out_.back().push(std::move(frame));
}

FrameBatch Nat::take_frames() {
  if (out_.empty()) return {};
  FrameBatch batch = std::move(out_.front());
  out_.pop_front();
  return batch;
}

// -- guests

Guest* Nat::find(const MacAddress& mac) const {
  const auto at = guests_.find(mac);
  return at == guests_.end() ? nullptr : at->second.get();
}

result<Guest*> Nat::find_or_make(const MacAddress& mac, TimePoint now) {
  if (Guest* guest = find(mac)) return guest;
  if (guests_.size() >= config_.limits.guests && !make_room_for_guest())
    return error(ErrorCode::ResourceExhausted, "the NAT serves as many guests as it may");
  auto made = Guest::create(config_, mac, *this, stats_, now);
  if (!made) return made.error();
  return guests_.emplace(mac, std::move(*made)).first->second.get();
}

/// The one without flows that was not heard of for the longest.
bool Nat::make_room_for_guest() {
  auto oldest = guests_.end();
  for (auto at = guests_.begin(); at != guests_.end(); ++at)
    if (at->second->idle() &&
        (oldest == guests_.end() || at->second->last_used() < oldest->second->last_used()))
      oldest = at;
  if (oldest == guests_.end()) return false;
  guests_.erase(oldest);
  return true;
}

void Nat::sweep(TimePoint now) {
  if (now - swept_ < kGuestLife / 2) return;
  swept_ = now;
  std::erase_if(guests_, [now](const auto& entry) {
    return entry.second->idle() && now - entry.second->last_used() >= kGuestLife;
  });
}

void Nat::forget(const MacAddress& guest) {
  std::erase_if(forwards_, [&](const auto& entry) { return entry.second.spec.guest == guest; });
  guests_.erase(guest);
}

std::size_t Nat::sockets() const noexcept {
  std::size_t forwards = 0;
  for (const auto& [mac, guest] : guests_)
    forwards += guest->flows().forwards();
  return owners_.size() - std::min(owners_.size(), forwards);
}

void Nat::opened(int fd) {
  owners_[fd] = current_;
}

void Nat::closing(int fd) {
  owners_.erase(fd);
  edge_.unwatch(fd);
}

// -- port forwards

result<OpenForward> Nat::open_forward(const ForwardSpec& spec, TimePoint now) {
  if (spec.guest_address == config_.gateway ||
      !(config_.subnet.contains(spec.guest_address) ||
        (config_.prefix6 && config_.prefix6->contains(spec.guest_address))))
    return invalid("forward " + to_string(spec) + ": " + spec.guest_address.to_string() +
                       " is not a guest's address",
                   "give an address of " + config_.subnet.to_string());
  // libslirp finds the socket for a guest's datagram by the guest's port alone: of two forwards,
  // answers to the one would leave by the other.
  const bool taken = spec.protocol == ForwardProtocol::Udp &&
                     std::any_of(forwards_.begin(), forwards_.end(), [&](const auto& entry) {
                       const ForwardSpec& other = entry.second.spec;
                       return other.protocol == spec.protocol && other.guest == spec.guest &&
                              other.guest_address == spec.guest_address &&
                              other.guest_port == spec.guest_port;
                     });
  if (taken)
    return invalid("forward " + to_string(spec) + ": another one leads to UDP port " +
                       std::to_string(spec.guest_port) + " of the guest",
                   "forward one host port to each UDP port of a guest");
  auto guest = find_or_make(spec.guest, now);
  if (!guest) return guest.error();
  current_ = *guest;
  auto port = (*guest)->open_forward(spec, now);
  // It is watched at once: there may be no frame of the guest to wait for.
  if (port) (*guest)->step(now);
  current_ = nullptr;
  if (!port) return port.error();
  const ForwardId id = next_forward_++;
  forwards_[id] = {spec, *port};
  return OpenForward{id, *port};
}

result<void> Nat::close_forward(ForwardId id, TimePoint now) {
  const auto at = forwards_.find(id);
  if (at == forwards_.end())
    return error(ErrorCode::NotFound, "no port forward " + std::to_string(id));
  const Forward forward = at->second;
  forwards_.erase(at);
  if (Guest* guest = find(forward.spec.guest)) {
    current_ = guest;
    guest->close_forward(forward.spec, forward.host_port);
    guest->step(now);
    current_ = nullptr;
  }
  return {};
}

}  // namespace capsa::net::nat
