#include <actors/values/network_addresses.hpp>
#include <actors/values/text.hpp>
#include <actors/values/validate_parts.hpp>
#include <net/packet/mac_address.hpp>

namespace capsa::values {
namespace {

// What one virtio-net device of ours serves.
constexpr std::uint16_t kMaxQueues = 16;

// In place of the one that is chosen when the VM starts.
const IpNetwork kAnySubnet = IpNetwork::around(IpAddress::v4(10, 0, 4, 0), 24);

result<void> validate_forward(const std::string& field, const PortForward& forward) {
  if (forward.protocol != Protocol::Tcp && forward.protocol != Protocol::Udp)
    return refused(field, to_string(forward) + " was given; tcp and udp have ports",
                   "use PortForward::tcp() or PortForward::udp()");
  if (forward.guest_port == 0)
    return refused(field, "the guest's port is 0", "give the port that the guest listens at");
  if (!forward.host_address.is_v4())
    return refused(field, forward.host_address.to_string() + " was given; it must be IPv4",
                   "use an IPv4 address of this host, or 0.0.0.0 for all");
  if (forward.host_address.is_multicast() || forward.host_address.is_broadcast())
    return refused(field, forward.host_address.to_string() + " is no address of one host",
                   "use an IPv4 address of this host, or 0.0.0.0 for all");
  return {};
}

result<void> validate_cluster_name(const std::string& name) {
  if (!name.empty() && name.size() <= kMaxVmName && !text::has_control_character(name)) return {};
  return refused("network.cluster",
                 text::quote(name) + " was given; 1 to " + std::to_string(kMaxVmName) +
                     " printable bytes are allowed",
                 "name the cluster, as \"db\"");
}

result<void> validate_forwards(const std::vector<PortForward>& forwards) {
  for (std::size_t i = 0; i < forwards.size(); ++i) {
    const std::string field = "network.port_forwards[" + std::to_string(i) + "]";
    if (auto ok = validate_forward(field, forwards[i]); !ok) return ok;
    for (std::size_t j = 0; j < i; ++j) {
      const auto& a = forwards[j];
      const auto& b = forwards[i];
      if (b.host_port == 0 || a.host_port != b.host_port || a.protocol != b.protocol) continue;
      if (a.host_address == b.host_address || a.host_address.is_unspecified() ||
          b.host_address.is_unspecified())
        return refused(
            field, to_string(b) + " listens where port_forwards[" + std::to_string(j) + "] does",
            "give another host port, or 0 for a free one");
    }
  }
  return {};
}

/// What every kind of network card has.
template <class Config>
result<void> validate_card(const Config& config) {
  if (config.policy)
    if (auto ok = config.policy->validate(); !ok)
      return error(ok.error().code(), "network.policy: " + ok.error().message(), ok.error().hint());
  if (!config.mac.empty()) {
    const auto mac = net::MacAddress::parse(config.mac);
    if (!mac || mac->is_multicast() || mac->is_zero())
      return refused("network.mac",
                     text::quote(config.mac) +
                         " was given; it must be of one station, as "
                         "02:00:00:12:34:56 is",
                     "leave it out for one of its own");
  }
  if (config.queues < 1 || config.queues > kMaxQueues)
    return refused("network.queues",
                   std::to_string(config.queues) + " was given; 1 to " +
                       std::to_string(kMaxQueues) + " are allowed",
                   "one for each vCPU is the most that is of use");
  return {};
}

result<void> validate_resolvers(const std::vector<std::string>& resolvers) {
  for (const auto& resolver : resolvers)
    if (const auto parsed = parse_resolver(resolver); !parsed)
      return refused("network.resolvers", parsed.error().message(),
                     "give an address, and a port where it is not 53: 192.0.2.1:5353");
  return {};
}

result<void> validate_nat(const UserNatConfig& config) {
  if (auto addresses = network_addresses(config); !addresses) return addresses.error();
  if (auto ok = validate_resolvers(config.resolvers); !ok) return ok;
  if (auto ok = validate_forwards(config.port_forwards); !ok) return ok;
  return validate_card(config);
}

/// What the host has, is looked at by whoever makes the VM.
result<void> validate_host_nat(const HostNatConfig& config) {
  if (auto addresses = network_addresses(config, kAnySubnet); !addresses) return addresses.error();
  if (auto ok = validate_resolvers(config.resolvers); !ok) return ok;
  return validate_card(config);
}

result<void> validate_place(const ClusterMembership& place) {
  if (auto ok = validate_cluster_name(place.cluster); !ok) return ok;
  if (place.address && !place.address->is_v4())
    return refused("network.address", place.address->to_string() + " was given; it must be IPv4",
                   "give an address of the cluster's subnet");
  if (auto ok = validate_forwards(place.port_forwards); !ok) return ok;
  return validate_card(place);
}

}  // namespace

result<void> validate_network(const VmConfig& config) {
  if (const auto* nat = config.network.get_if<UserNatConfig>()) return validate_nat(*nat);
  if (const auto* nat = config.network.get_if<HostNatConfig>()) return validate_host_nat(*nat);
  if (const auto* place = config.network.get_if<ClusterMembership>()) return validate_place(*place);
  return {};
}

}  // namespace capsa::values

namespace capsa {

result<void> validate(const std::string& cluster, const ClusterConfig& config) {
  if (auto ok = values::validate_cluster_name(cluster); !ok) return ok;
  if (auto addresses = network_addresses(config); !addresses) return addresses.error();
  return values::validate_resolvers(config.resolvers);
}

result<void> validate(const PortForward& forward) {
  return values::validate_forward("forward", forward);
}

}  // namespace capsa
