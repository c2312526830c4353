#include <capsa/network.hpp>
#include <ostream>

namespace capsa {

namespace {

std::string summary(const NetworkPolicy& policy) {
  return "default " + to_string(policy.default_action()) + " and " +
         std::to_string(policy.rules().size()) + " rules";
}

}  // namespace

std::string to_string(const PortForward& forward) {
  const auto& address = forward.host_address;
  return to_string(forward.protocol) + " " +
         (address.is_v6() ? "[" + address.to_string() + "]" : address.to_string()) + ":" +
         std::to_string(forward.host_port) + " -> " + std::to_string(forward.guest_port);
}

std::string to_string(const UserNatConfig& config) {
  std::string out = "user_nat(" + config.subnet;
  if (config.gateway) out += ", gateway=" + config.gateway->to_string();
  if (config.dhcp_start) out += ", dhcp_start=" + config.dhcp_start->to_string();
  if (config.dhcp_end) out += ", dhcp_end=" + config.dhcp_end->to_string();
  for (const auto& forward : config.port_forwards)
    out += ", " + to_string(forward);
  if (config.policy) out += ", policy=" + summary(*config.policy);
  for (const auto& resolver : config.resolvers)
    out += ", resolver=" + resolver;
  if (config.host_loopback) out += ", host_loopback";
  if (!config.ipv6) out += ", no IPv6";
  if (!config.mac.empty()) out += ", mac=" + config.mac;
  if (config.queues != 1) out += ", queues=" + std::to_string(config.queues);
  return out + ")";
}

std::string to_string(const ClusterMembership& place) {
  std::string out = "cluster(" + place.cluster;
  if (place.address) out += ", address=" + place.address->to_string();
  for (const auto& forward : place.port_forwards)
    out += ", " + to_string(forward);
  if (place.policy) out += ", policy=" + summary(*place.policy);
  if (!place.mac.empty()) out += ", mac=" + place.mac;
  if (place.queues != 1) out += ", queues=" + std::to_string(place.queues);
  return out + ")";
}

std::string to_string(const ClusterConfig& config) {
  std::string out = "cluster_config(" + config.subnet;
  if (config.gateway) out += ", gateway=" + config.gateway->to_string();
  if (config.dhcp_start) out += ", dhcp_start=" + config.dhcp_start->to_string();
  if (config.dhcp_end) out += ", dhcp_end=" + config.dhcp_end->to_string();
  for (const auto& resolver : config.resolvers)
    out += ", resolver=" + resolver;
  if (!config.nat) out += ", no NAT";
  if (!config.ipv6) out += ", no IPv6";
  if (config.host_loopback) out += ", host_loopback";
  return out + ")";
}

std::string to_string(const HostNatConfig& config) {
  std::string out;
  const auto add = [&out](const std::string& part) { out += (out.empty() ? "" : ", ") + part; };
  if (!config.subnet.empty()) add(config.subnet);
  if (config.policy) add("policy=" + summary(*config.policy));
  for (const auto& resolver : config.resolvers)
    add("resolver=" + resolver);
  if (!config.mac.empty()) add("mac=" + config.mac);
  if (config.queues != 1) add("queues=" + std::to_string(config.queues));
  return out.empty() ? "nat" : "nat(" + out + ")";
}

std::string to_string(const NetworkMode& mode) {
  if (const auto* nat = mode.get_if<UserNatConfig>()) return to_string(*nat);
  if (const auto* place = mode.get_if<ClusterMembership>()) return to_string(*place);
  if (const auto* nat = mode.get_if<HostNatConfig>()) return to_string(*nat);
  return "none";
}

std::ostream& operator<<(std::ostream& out, const PortForward& forward) {
  return out << to_string(forward);
}
std::ostream& operator<<(std::ostream& out, const NetworkMode& mode) {
  return out << to_string(mode);
}

}  // namespace capsa
