#include <ifaddrs.h>
#include <netinet/in.h>

#include <actors/network/host_network.hpp>
#include <cstring>
#include <fstream>
#include <net/dns/resolv_conf.hpp>
#include <sstream>

namespace capsa::network {

namespace {

std::optional<IpAddress> address_of(const sockaddr* from) {
  if (from == nullptr) return std::nullopt;
  if (from->sa_family == AF_INET) {
    sockaddr_in address;
    std::memcpy(&address, from, sizeof address);
    return IpAddress::v4(ntohl(address.sin_addr.s_addr));
  }
  if (from->sa_family == AF_INET6) {
    sockaddr_in6 address;
    std::memcpy(&address, from, sizeof address);
    return IpAddress::from_v6_bytes(std::as_bytes(std::span<const std::uint8_t, 16>(
        reinterpret_cast<const std::uint8_t*>(&address.sin6_addr), 16)));
  }
  return std::nullopt;
}

}  // namespace

std::vector<IpAddress> host_addresses() {
  std::vector<IpAddress> out;
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return out;
  for (const auto* one = list; one != nullptr; one = one->ifa_next)
    if (const auto address = address_of(one->ifa_addr)) out.push_back(*address);
  ::freeifaddrs(list);
  return out;
}

std::vector<Upstream> host_resolvers() {
  std::ifstream file("/etc/resolv.conf");
  std::ostringstream text;
  text << file.rdbuf();
  std::vector<Upstream> out;
  for (auto& found : net::dns::resolvers_from_resolv_conf(text.str()))
    out.push_back({found.address, 53, std::move(found.zone)});
  if (out.empty()) out.push_back({IpAddress::v4(127, 0, 0, 1), 53, {}});
  return out;
}

}  // namespace capsa::network
