#include <actors/values/network_addresses.hpp>
#include <actors/values/text.hpp>
#include <actors/values/validate_parts.hpp>
#include <charconv>

namespace capsa {
namespace {

using text::quote;
using values::refused;

// Fewer bits are not one network any more, more leave no room for a gateway and a guest.
constexpr unsigned kMinPrefix = 8;
constexpr unsigned kMaxPrefix = 29;
constexpr std::uint32_t kFirstGuestHost = 15;

result<void> check_host(const std::string& field, const IpAddress& address,
                        const IpNetwork& subnet) {
  const std::string given = address.to_string();
  const std::string hint = "leave it out, or give an address of the subnet " + subnet.to_string();
  if (!subnet.contains(address))
    return refused(field, given + " is not in the subnet " + subnet.to_string(), hint);
  if (address == subnet.address() || address == subnet.last())
    return refused(field, given + " is the first or the last address of the subnet", hint);
  return {};
}

/// `Config` is that of any kind of network.
template <class Config>
result<NetworkAddresses> complete(const Config& config, std::uint32_t gateway_host) {
  NetworkAddresses out;
  auto subnet = IpNetwork::parse(config.subnet);
  const std::string hint = "give one like 10.0.2.0/24";
  if (!subnet)
    return refused("network.subnet", quote(config.subnet) + ": " + subnet.error().message(), hint);
  out.subnet = *subnet;
  if (!out.subnet.address().is_v4())
    return refused("network.subnet", quote(config.subnet) + " was given; it must be IPv4", hint);
  if (out.subnet.prefix() < kMinPrefix || out.subnet.prefix() > kMaxPrefix)
    return refused("network.subnet",
                   quote(config.subnet) + " was given; prefixes from /8 to /29 are allowed", hint);
  const auto& first = out.subnet.address();
  if (first.is_loopback() || first.is_multicast() || first.is_link_local() ||
      first.is_unspecified() || first.to_v4() >> 28 == 0xf)
    return refused("network.subnet", quote(config.subnet) + " is no range that hosts are given",
                   hint);

  const std::uint32_t base = first.to_v4();
  const std::uint32_t last = out.subnet.last().to_v4();
  out.gateway = config.gateway.value_or(IpAddress::v4(base + gateway_host));
  // A small subnet does not reach to .15: what is behind the gateway is for guests then.
  const std::uint32_t start = base + kFirstGuestHost < last    ? base + kFirstGuestHost
                              : out.gateway.to_v4() + 1 < last ? out.gateway.to_v4() + 1
                                                               : base + 1;
  out.dhcp_start = config.dhcp_start.value_or(IpAddress::v4(start));
  out.dhcp_end = config.dhcp_end.value_or(IpAddress::v4(last - 1));
  if (auto ok = check_host("network.gateway", out.gateway, out.subnet); !ok) return ok.error();
  if (auto ok = check_host("network.dhcp_start", out.dhcp_start, out.subnet); !ok)
    return ok.error();
  if (auto ok = check_host("network.dhcp_end", out.dhcp_end, out.subnet); !ok) return ok.error();
  if (out.dhcp_end < out.dhcp_start)
    return refused(
        "network.dhcp_end",
        out.dhcp_end.to_string() + " is before dhcp_start, " + out.dhcp_start.to_string(),
        "give the last address of the range");
  if (out.dhcp_start <= out.gateway && out.gateway <= out.dhcp_end)
    return refused("network.gateway",
                   out.gateway.to_string() + " is one of those that guests are given",
                   "choose one outside of dhcp_start to dhcp_end");
  return out;
}

}  // namespace

result<NetworkAddresses> network_addresses(const UserNatConfig& config) {
  return complete(config, 2);
}

result<NetworkAddresses> network_addresses(const ClusterConfig& config) {
  return complete(config, 1);
}

result<NetworkAddresses> network_addresses(const HostNatConfig& config, const IpNetwork& chosen) {
  UserNatConfig all;
  all.subnet = config.subnet.empty() ? chosen.to_string() : config.subnet;
  return network_addresses(all);
}

IpAddress host_address(const NetworkAddresses& addresses) {
  return IpAddress::v4(addresses.subnet.address().to_v4() + 1);
}

result<ResolverAddress> parse_resolver(std::string_view text) {
  std::string_view address = text;
  std::string_view port;
  if (!text.empty() && text.front() == '[') {
    const auto end = text.find(']');
    if (end == std::string_view::npos)
      return error(ErrorCode::InvalidConfig, "\"" + std::string(text) + "\" has no ']'");
    address = text.substr(1, end - 1);
    if (end + 1 < text.size() && text[end + 1] == ':')
      port = text.substr(end + 2);
    else if (end + 1 != text.size())
      return error(ErrorCode::InvalidConfig, "\"" + std::string(text) + "\" goes on behind ']'");
  } else if (const auto colon = text.find(':');
             colon != std::string_view::npos && text.find(':', colon + 1) == text.npos) {
    address = text.substr(0, colon);
    port = text.substr(colon + 1);
  }
  const auto parsed = IpAddress::parse(address);
  if (!parsed) return parsed.error();
  ResolverAddress out{*parsed, 53};
  if (port.data() == nullptr) return out;
  const auto [end, wrong] = std::from_chars(port.data(), port.data() + port.size(), out.port);
  if (wrong != std::errc() || end != port.data() + port.size() || out.port == 0)
    return error(ErrorCode::InvalidConfig, "\"" + std::string(port) + "\" is no port");
  return out;
}

}  // namespace capsa
