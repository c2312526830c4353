#include <actors/network/flow_text.hpp>
#include <actors/network/vm_guard.hpp>

namespace capsa::network {

namespace {

constexpr std::chrono::seconds kSweep{5};

/// "tcp 10.0.2.15 -> 192.0.2.1:443 (api.example.com)", or the question for a name.
template <class Entry>
std::string flow_of(const Entry& entry) {
  return protocol_text(entry.ip_protocol) + " " + entry.from.to_string() + " -> " +
         endpoint_text(entry.to, entry.port) + (entry.name.empty() ? "" : " (" + entry.name + ")");
}

std::string line_of(const net::DenialEvent& event) {
  return "denied: " + flow_of(event) + ": " + event.reason;
}

/// "allowed: tcp 10.0.2.15 -> 192.0.2.1:443: logged by rules 1, 4"
std::string line_of(const net::FlowLogEntry& entry) {
  std::string by = entry.by_default ? "the default" : "";
  for (const std::size_t rule : entry.rules)
    by += (by.empty() ? "rule " : ", rule ") + std::to_string(rule + 1);
  return (entry.allowed ? "allowed: " : "denied: ") + flow_of(entry) + ": logged by " + by;
}

}  // namespace

VmGuard::VmGuard(net::GuardConfig config, OnEvent on_event)
    : on_event_(std::move(on_event)), context_(config.network), guard_(std::move(config)) {
  guard_.denials().on_entry([this](const net::DenialEvent& event) {
    on_event_(VmEvent::Kind::NetworkDenied, line_of(event));
  });
  guard_.log().on_entry([this](const net::FlowLogEntry& entry) {
    on_event_(VmEvent::Kind::NetworkLogged, line_of(entry));
  });
}

void VmGuard::sweep(Time now) {
  if (now - swept_ < kSweep) return;
  swept_ = now;
  guard_.sweep(now);
}

bool VmGuard::take_answer(net::Frame& frame, net::Decision decision) {
  if (!decision.to_network.empty() && on_abort_) on_abort_(std::move(decision.to_network));
  if (decision.to_guest.empty()) return false;
  frame = answers_->make(decision.to_guest);
  return static_cast<bool>(frame);
}

net::FilterVerdict VmGuard::on_ingress(net::Frame& frame, Time now) {
  sweep(now);
  auto decision = guard_.on_guest_frame(frame.bytes(), now);
  if (decision.forwards()) return net::FilterVerdict::Pass;
  return take_answer(frame, std::move(decision)) ? net::FilterVerdict::Answer
                                                 : net::FilterVerdict::Drop;
}

net::FilterVerdict VmGuard::on_egress(net::Frame& frame, Time now) {
  auto decision = guard_.on_frame_to_guest(frame.bytes(), now);
  if (decision.forwards()) return net::FilterVerdict::Pass;
  // The guest has the answer instead of what was for it, so that its side of the flow ends as well.
  return take_answer(frame, std::move(decision)) ? net::FilterVerdict::Pass
                                                 : net::FilterVerdict::Drop;
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
  on_event_(VmEvent::Kind::NetworkDenied,
            "denied: dns answer for " + std::string(name) + ": private addresses (" + all + ")");
}

void VmGuard::refused(const net::Packet& packet, std::string_view why) {
  ++refused_;
  on_event_(VmEvent::Kind::NetworkDenied,
            "denied: " + protocol_text(packet.protocol) + " " + packet.from.to_string() + " -> " +
                endpoint_text(packet.to, packet.to_port) + ": " + std::string(why));
}

}  // namespace capsa::network
