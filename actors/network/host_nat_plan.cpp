#include <unistd.h>

#include <actors/network/host_nat_plan.hpp>
#include <atomic>
#include <backends/runtime_dir/private_directory.hpp>
#include <backends/runtime_dir/runtime_dir.hpp>
#include <fstream>
#include <net/host_nat/host_facts.hpp>
#include <net/host_nat/rules.hpp>
#include <net/host_nat/subnet.hpp>

namespace capsa::network {

namespace {

namespace host_nat = net::host_nat;

constexpr std::uint16_t kMtu = 1500;

struct Place {
  NetworkAddresses addresses;
  IpAddress host;
  host_nat::Interface interface;
};

result<Place> take_place(const HostNatConfig& config) {
  // From looking for a free subnet to having a route to it: of all processes of this user one at a
  // time.
  const auto base = open_private_directory(runtime_base());
  if (!base.ok()) return base.error();
  const auto lock = lock_file(base->get(), ".host_nat", true);
  if (!lock.ok()) return lock.error();
  std::optional<IpNetwork> wanted;
  if (!config.subnet.empty()) {
    auto parsed = IpNetwork::parse(config.subnet);
    if (!parsed.ok()) return parsed.error();
    wanted = *parsed;
  }
  const auto subnet = host_nat::choose_subnet(wanted, host_nat::taken_networks());
  if (!subnet.ok()) return subnet.error();
  const auto addresses = network_addresses(config, *subnet);
  if (!addresses.ok()) return addresses.error();
  const auto host = host_address(*addresses);
  auto interface = host_nat::make_interface(host, subnet->prefix(), kMtu);
  if (!interface.ok()) return interface.error();
  return Place{*addresses, host, std::move(*interface)};
}

/// For whoever cleans up after this process.
result<void> record(const std::filesystem::path& directory, const std::string& table) {
  const auto file = directory / kTableRecord;
  std::ofstream out(file);
  out << table << '\n';
  if (out.flush()) return {};
  return error_from_errno(errno, "write " + file.string());
}

std::string next_table() {
  // Of all runtimes of this process.
  static std::atomic<std::uint64_t> number{1};
  return host_nat::TableName{::getpid(), number++}.to_string();
}

}  // namespace

result<HostNatPlan> plan_host_nat(NetworkHost& host, HostNatRequest request) {
  const auto facts = host_nat::host_facts();
  if (const auto usable = host_nat::check(facts); !usable.ok()) return usable.error();
  auto place = take_place(request.config);
  if (!place.ok()) return place.error();

  GatewayRequest gateway;
  gateway.addresses = place->addresses;
  gateway.resolvers = request.config.resolvers;
  gateway.router = place->host;
  auto nat = plan_gateway(host, gateway);
  if (!nat.ok()) return nat.error();

  MemberRequest member;
  member.name = std::move(request.name);
  member.mac =
      request.config.mac.empty() ? request.mac : *net::MacAddress::parse(request.config.mac);
  member.address = place->addresses.dhcp_start;
  member.policy = std::move(request.config.policy);
  member.queues = request.config.queues;
  member.on_event = std::move(request.on_event);

  HostNatPlan out;
  out.member = plan_member(host, *nat, std::move(member));
  out.nat = std::move(*nat);
  out.nat.stations.push_back(out.member.station);

  const auto table = next_table();
  if (const auto kept = record(request.directory, table); !kept.ok()) return kept.error();
  const auto& station = out.member.station;
  out.uplink.rules = host_nat::ruleset({table, place->interface.device.name, station.address});
  out.uplink.removal = host_nat::removal(table);
  out.uplink.interface = std::move(place->interface);
  out.uplink.address = place->host;
  out.uplink.nft = facts.nft;
  out.uplink.wire = host.next_wire();
  out.uplink.guard = station.guard;
  out.uplink.spawner = request.spawner;
  return out;
}

}  // namespace capsa::network
