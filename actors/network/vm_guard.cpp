#include <actors/network/vm_guard.hpp>
#include <cstring>

namespace capsa::network {

namespace {

constexpr std::chrono::seconds kSweep{5};

std::string protocol_name(std::uint8_t number) {
  switch (number) {
    case net::ip_protocol::kTcp:
      return "tcp";
    case net::ip_protocol::kUdp:
      return "udp";
    case net::ip_protocol::kIcmp:
    case net::ip_protocol::kIcmpV6:
      return "icmp";
    default:
      return "protocol " + std::to_string(number);
  }
}

std::string endpoint(const IpAddress& address, std::uint16_t port) {
  const std::string text =
      address.is_v6() && port != 0 ? "[" + address.to_string() + "]" : address.to_string();
  return port == 0 ? text : text + ":" + std::to_string(port);
}

/// "denied: tcp 10.0.2.15 -> 192.0.2.1:443 (api.example.com): rule 2: deny any"
std::string line_of(const net::DenialEvent& event) {
  // What was asked for and no address belongs to, is a question.
  if (event.ip_protocol == 0)
    return "denied: dns " + event.from.to_string() + " asks for " + event.name + ": " +
           event.reason;
  return "denied: " + protocol_name(event.ip_protocol) + " " + event.from.to_string() + " -> " +
         endpoint(event.to, event.port) + (event.name.empty() ? "" : " (" + event.name + ")") +
         ": " + event.reason;
}

}  // namespace

VmGuard::VmGuard(net::GuardConfig config, OnDenied on_denied)
    : on_denied_(std::move(on_denied)), context_(config.network), guard_(std::move(config)) {
  guard_.denials().on_entry([this](const net::DenialEvent& event) {
    if (on_denied_) on_denied_(line_of(event));
  });
}

void VmGuard::sweep(Time now) {
  if (now - swept_ < kSweep) return;
  swept_ = now;
  guard_.sweep(now);
}

void VmGuard::abort_far_side(net::Decision& decision) {
  if (!decision.to_network.empty() && on_abort_) on_abort_(std::move(decision.to_network));
}

net::FilterVerdict VmGuard::answer(net::Frame& frame, net::Decision decision) {
  if (decision.forwards()) return net::FilterVerdict::Pass;
  abort_far_side(decision);
  if (decision.to_guest.empty()) return net::FilterVerdict::Drop;
  auto reply = answers_->make(decision.to_guest.size());
  if (!reply) return net::FilterVerdict::Drop;
  std::memcpy(reply.bytes().data(), decision.to_guest.data(), decision.to_guest.size());
  frame = std::move(reply);
  return net::FilterVerdict::Answer;
}

net::FilterVerdict VmGuard::on_ingress(net::Frame& frame, Time now) {
  sweep(now);
  return answer(frame, guard_.on_guest_frame(frame.bytes(), now));
}

net::FilterVerdict VmGuard::on_egress(net::Frame& frame, Time now) {
  auto decision = guard_.on_frame_to_guest(frame.bytes(), now);
  if (decision.forwards()) return net::FilterVerdict::Pass;
  abort_far_side(decision);
  if (decision.to_guest.empty()) return net::FilterVerdict::Drop;
  // The guest has this instead of what was for it, so that its side of the flow ends as well.
  auto instead = answers_->make(decision.to_guest.size());
  if (!instead) return net::FilterVerdict::Drop;
  std::memcpy(instead.bytes().data(), decision.to_guest.data(), decision.to_guest.size());
  frame = std::move(instead);
  return net::FilterVerdict::Pass;
}

void VmGuard::set_host_addresses(const std::vector<IpAddress>& addresses) {
  context_.host_addresses = addresses;
  guard_.set_host_addresses(addresses);
}

bool VmGuard::names_address(const IpAddress& address) const {
  return net::names_address(guard_.policy(), context_, address);
}

bool VmGuard::may_ask(std::string_view name, const IpAddress& from, Time now) {
  return guard_.dns().may_ask(name, from, now).allowed;
}

void VmGuard::pin(const net::dns::Resolved& what, Time now) {
  guard_.dns().pin(what.name, what.addresses, std::chrono::seconds(what.ttl), now,
                   what.local ? net::AnswerSource::Own : net::AnswerSource::Upstream);
}

void VmGuard::rebound(std::string_view name, const std::vector<IpAddress>& addresses) {
  std::string all;
  for (const auto& address : addresses)
    all += (all.empty() ? "" : ", ") + address.to_string();
  ++refused_;
  if (on_denied_)
    on_denied_("denied: dns answer for " + std::string(name) + ": private addresses (" + all + ")");
}

void VmGuard::refused(const net::Packet& packet, std::string_view why) {
  ++refused_;
  if (on_denied_)
    on_denied_("denied: " + protocol_name(packet.protocol) + " " + packet.from.to_string() +
               " -> " + endpoint(packet.to, packet.to_port) + ": " + std::string(why));
}

}  // namespace capsa::network
