#include <actors/loop/loop_actor.hpp>
#include <actors/network/clusters.hpp>
#include <actors/network/net_switch.hpp>
#include <actors/protocol/spawn.hpp>
#include <algorithm>

namespace capsa::network {

namespace {

capsa::error refused(const std::string& what, std::string hint) {
  return {ErrorCode::InvalidConfig, "network.address: " + what, std::move(hint)};
}

}  // namespace

result<void> Clusters::configure(const std::string& cluster, const ClusterConfig& config) {
  const std::lock_guard lock(mutex_);
  auto made = find_or_make(cluster, config);
  if (!made.ok()) return made.error();
  if ((*made)->config == config) return {};
  return capsa::error(
      ErrorCode::InvalidConfig,
      "cluster \"" + cluster + "\" is there already, as " + to_string((*made)->config),
      "configure a cluster before the first VM names it");
}

result<Clusters::Cluster*> Clusters::find_or_make(const std::string& name,
                                                  const ClusterConfig& config) {
  if (ended_) return capsa::error(ErrorCode::RuntimeShutdown, "the runtime was shut down");
  auto& slot = clusters_[name];
  if (slot) return slot.get();
  const auto addresses = network_addresses(config);
  if (!addresses.ok()) return addresses.error();
  GatewayRequest request;
  request.addresses = *addresses;
  if (config.ipv6) request.prefix6 = network_prefix6(next_prefix_++);
  request.resolvers = config.resolvers;
  request.nat = config.nat;
  request.host_loopback = config.host_loopback;
  auto plan = plan_gateway(host_, request);
  if (!plan.ok()) return plan.error();
  auto made = std::make_unique<Cluster>();
  made->config = config;
  made->addresses = *addresses;
  made->plan = *plan;
  auto& loop = host_.loop;
  made->net_switch = loop::spawn_on<protocol::SwitchUnit, NetSwitchState>(host_.system, loop);
  made->nat = loop::spawn_on<protocol::NatUnit, NatState>(host_.system, loop, std::move(*plan),
                                                          made->net_switch);
  slot = std::move(made);
  return slot.get();
}

result<IpAddress> Clusters::choose_address(const Cluster& cluster, const ClusterMembership& place,
                                           const std::string& vm) {
  const auto& addresses = cluster.addresses;
  const auto is_taken = [&](const IpAddress& address) {
    return address == addresses.gateway ||
           std::any_of(cluster.members.begin(), cluster.members.end(),
                       [&](const auto& member) { return member.second.address == address; });
  };
  if (place.address) {
    const auto& wanted = *place.address;
    const std::string given = wanted.to_string();
    if (!addresses.subnet.contains(wanted) || wanted == addresses.subnet.address() ||
        wanted == addresses.subnet.last())
      return refused(given + " is no address of a member of " + addresses.subnet.to_string(),
                     "choose one of the cluster's subnet");
    if (is_taken(wanted))
      return refused(given + " is taken", "choose another one, or leave it out");
    return wanted;
  }
  const auto known = cluster.known.find(vm);
  if (known != cluster.known.end() && !is_taken(known->second.address))
    return known->second.address;
  // Those of VMs that are not there, but may come back, are given only where there is no other.
  const auto is_known = [&](const IpAddress& address) {
    return std::any_of(cluster.known.begin(), cluster.known.end(),
                       [&](const auto& one) { return one.second.address == address; });
  };
  std::optional<IpAddress> kept;
  for (std::uint32_t at = addresses.dhcp_start.to_v4(); at <= addresses.dhcp_end.to_v4(); ++at) {
    const auto address = IpAddress::v4(at);
    if (is_taken(address)) continue;
    if (!is_known(address)) return address;
    if (!kept) kept = address;
  }
  if (kept) return *kept;
  return capsa::error(ErrorCode::ResourceExhausted,
                      "every address of cluster \"" + place.cluster + "\" is taken",
                      "configure the cluster with a larger subnet");
}

result<JoinedNetwork> Clusters::join(const ClusterMembership& place, const std::string& vm,
                                     VmGuard::OnEvent on_event) {
  const std::lock_guard lock(mutex_);
  auto found = find_or_make(place.cluster, {});
  if (!found.ok()) return found.error();
  Cluster& cluster = **found;
  for (const auto& [wire, member] : cluster.members)
    if (host_name(member.name) == host_name(vm))
      return capsa::error(
          ErrorCode::InvalidConfig,
          "name: cluster \"" + place.cluster + "\" has a member \"" + host_name(vm) + "\" already",
          "give each VM of a cluster a name of its own");
  const auto address = choose_address(cluster, place, vm);
  if (!address.ok()) return address.error();
  const auto known = cluster.known.find(vm);
  MemberRequest request;
  request.name = vm;
  request.mac = !place.mac.empty()             ? *net::MacAddress::parse(place.mac)
                : known != cluster.known.end() ? known->second.mac
                                               : host_.next_mac();
  request.address = *address;
  request.forwards = place.port_forwards;
  request.policy = place.policy;
  request.queues = place.queues;
  request.isolated = false;
  request.on_event = std::move(on_event);
  cluster.known[vm] = {*address, request.mac};

  JoinedNetwork out;
  out.net_switch = cluster.net_switch;
  out.nat = cluster.nat;
  out.member = plan_member(host_, cluster.plan, std::move(request));
  cluster.members[out.member.station.wire] = {vm, *address, out.member.station.mac.to_string()};
  return out;
}

void Clusters::leave(const std::string& cluster, protocol::WireId wire) {
  const std::lock_guard lock(mutex_);
  const auto found = clusters_.find(cluster);
  if (found == clusters_.end() || found->second->members.erase(wire) == 0) return;
  caf::anon_send(found->second->nat, protocol::dismiss_atom_v, wire);
}

std::vector<Clusters::Member> Clusters::members(const std::string& cluster) const {
  const std::lock_guard lock(mutex_);
  std::vector<Member> out;
  const auto found = clusters_.find(cluster);
  if (found == clusters_.end()) return out;
  for (const auto& [wire, member] : found->second->members)
    out.push_back({member, wire});
  return out;
}

protocol::SwitchUnit Clusters::switch_of(const std::string& cluster) const {
  const std::lock_guard lock(mutex_);
  const auto found = clusters_.find(cluster);
  return found == clusters_.end() ? protocol::SwitchUnit() : found->second->net_switch;
}

void Clusters::end() {
  const std::lock_guard lock(mutex_);
  ended_ = true;
  for (const auto& [name, cluster] : clusters_) {
    protocol::kill_now(caf::actor_cast<caf::strong_actor_ptr>(cluster->nat));
    protocol::kill_now(caf::actor_cast<caf::strong_actor_ptr>(cluster->net_switch));
  }
  clusters_.clear();
}

}  // namespace capsa::network
