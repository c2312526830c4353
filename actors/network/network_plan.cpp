#include <sys/resource.h>

#include <actors/network/host_network.hpp>
#include <actors/network/network_plan.hpp>
#include <algorithm>

namespace capsa::network {

namespace {

constexpr unsigned kPrefix6Bits = 64;
constexpr std::uint16_t kMtu = 1500;

// Locally administered, and told apart from what other programs choose by its second byte.
net::MacAddress gateway_mac(const IpAddress& address) {
  const auto bytes = address.bytes();
  return net::MacAddress({0x02, 0xca, bytes[0], bytes[1], bytes[2], bytes[3]});
}

/// Of the descriptors that this process may have, guests of one network take half at most.
std::size_t most_sockets(std::size_t usual) {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return usual;
  return std::min<std::size_t>(usual, limit.rlim_cur / 2);
}

/// The gateway's address in a prefix, ::2.
IpAddress gateway_in(const IpNetwork& prefix) {
  std::array<std::byte, 16> bytes{};
  const auto from = prefix.address().bytes();
  std::transform(from.begin(), from.end(), bytes.begin(),
                 [](std::uint8_t byte) { return std::byte{byte}; });
  bytes.back() = std::byte{2};
  return IpAddress::from_v6_bytes(bytes);
}

result<std::vector<Upstream>> upstreams(const std::vector<std::string>& given) {
  std::vector<Upstream> out;
  for (const auto& text : given) {
    const auto parsed = parse_resolver(text);
    if (!parsed.ok()) return parsed.error();
    out.push_back({parsed->address, parsed->port, {}});
  }
  return out.empty() ? host_resolvers() : out;
}

}  // namespace

IpNetwork network_prefix6(std::uint16_t index) {
  return IpNetwork::around(IpAddress::v6({0xfdca, 0x70ca, index, 0, 0, 0, 0, 0}), kPrefix6Bits);
}

std::string host_name(const std::string& name) {
  std::string out;
  for (const char c : name) {
    const bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    if (letter)
      out += c;
    else if (c >= 'A' && c <= 'Z')
      out += static_cast<char>(c - 'A' + 'a');
    else if (!out.empty() && out.back() != '-')
      out += '-';
    if (out.size() == 63) break;
  }
  while (!out.empty() && out.back() == '-')
    out.pop_back();
  return out.empty() ? "vm" : out;
}

result<NatPlan> plan_gateway(NetworkHost& host, const GatewayRequest& request) {
  auto resolvers = upstreams(request.resolvers);
  if (!resolvers.ok()) return resolvers.error();
  const auto& addresses = request.addresses;
  NatPlan out;
  out.wire = host.next_wire();
  out.resolvers = std::move(*resolvers);
  out.enabled = request.nat && !request.router;
  out.router = request.router;
  out.gateway.mac = gateway_mac(addresses.gateway);
  out.gateway.address = addresses.gateway;

  out.nat.subnet = addresses.subnet;
  out.nat.gateway = addresses.gateway;
  out.nat.gateway_mac = out.gateway.mac;
  out.nat.guest_mtu = kMtu;
  out.nat.limits.sockets = most_sockets(out.nat.limits.sockets);
  out.nat.host_loopback = request.host_loopback;
  if (request.prefix6) {
    const auto ours = gateway_in(*request.prefix6);
    out.nat.prefix6 = request.prefix6;
    out.nat.gateway6 = ours;
    net::neighbor::RouterFields router;
    router.link_local = IpAddress::v6({0xfe80, 0, 0, 0, 0, 0, 0, 2});
    router.prefix = *request.prefix6;
    router.resolvers = {ours};
    router.mtu = kMtu;
    router.default_router = request.nat;
    out.gateway.ipv6 = std::move(router);
    out.gateway.ipv6_address = ours;
  }

  out.dhcp.server = addresses.gateway;
  out.dhcp.network = addresses.subnet;
  out.dhcp.first = addresses.dhcp_start;
  out.dhcp.last = addresses.dhcp_end;
  if (request.nat) out.dhcp.router = request.router.value_or(addresses.gateway);
  out.dhcp.dns = {addresses.gateway};
  return out;
}

MemberPlan plan_member(NetworkHost& host, const NatPlan& network, MemberRequest request) {
  MemberPlan out;
  Station& station = out.station;
  station.wire = host.next_wire();
  station.name = host_name(request.name);
  station.mac = request.mac;
  station.address = request.address;
  station.forwards = std::move(request.forwards);

  net::GuardConfig guard;
  guard.identity.mac = station.mac;
  guard.identity.ipv4 = station.address;
  guard.network.gateway = {network.gateway.address};
  guard.network.host_loopback = network.nat.host_loopback;
  if (!request.isolated) guard.network.peers = {network.nat.subnet};
  if (network.gateway.ipv6) {
    guard.identity.ipv6_networks = {network.gateway.ipv6->prefix};
    guard.network.gateway.push_back(*network.gateway.ipv6_address);
    guard.network.gateway.push_back(network.gateway.ipv6->link_local);
    if (!request.isolated) guard.network.peers.push_back(network.gateway.ipv6->prefix);
  }
  guard.policy = request.policy.value_or(NetworkPolicy::allow_all());
  for (const auto& forward : station.forwards)
    guard.forwards.push_back({forward.protocol, forward.guest_port});
  station.guard = std::make_shared<VmGuard>(std::move(guard), std::move(request.on_event));

  out.card.card.mac = station.mac.bytes();
  out.card.card.queue_pairs = request.queues;
  out.card.wire = station.wire;
  out.card.port.name = request.name;
  out.card.port.mac = station.mac;
  out.card.port.isolated = request.isolated;
  out.card.port.guard = station.guard;

  out.interface.mac = station.mac.to_string();
  out.interface.address = station.address.to_string();
  out.interface.prefix = network.nat.subnet.prefix();
  out.interface.gateway = network.router.value_or(network.gateway.address).to_string();
  out.resolver = network.gateway.address.to_string();
  return out;
}

}  // namespace capsa::network
