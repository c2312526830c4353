#include <ifaddrs.h>
#include <netinet/in.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <fstream>
#include <net/host_nat/subnet.hpp>
#include <sstream>

namespace capsa::net::host_nat {
namespace {

// Shorter prefixes are no network that somebody has, but a default route in parts.
constexpr unsigned kShortestPrefix = 8;
constexpr unsigned kUsualPrefix = 24;

/// A number of /proc/net/route: hexadecimal, and in the byte order of the wire on this machine.
std::optional<std::uint32_t> address_in(const std::string& text) {
  std::istringstream in(text);
  std::uint32_t value = 0;
  if (text.size() != 8 || !(in >> std::hex >> value)) return std::nullopt;
  return ntohl(value);
}

bool overlap(const IpNetwork& a, const IpNetwork& b) {
  return a.contains(b.address()) || b.contains(a.address());
}

const IpNetwork* conflict(const IpNetwork& wanted, const std::vector<IpNetwork>& taken) {
  const auto found = std::find_if(taken.begin(), taken.end(),
                                  [&](const IpNetwork& one) { return overlap(one, wanted); });
  return found == taken.end() ? nullptr : &*found;
}

}  // namespace

std::vector<IpNetwork> routed_networks(std::string_view table) {
  std::vector<IpNetwork> out;
  std::istringstream lines{std::string(table)};
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string interface, destination, gateway, flags, references, use, metric, mask;
    if (!(words >> interface >> destination >> gateway >> flags >> references >> use >> metric >>
          mask))
      continue;
    const auto address = address_in(destination);
    const auto bits = address_in(mask);
    if (!address || !bits) continue;
    const auto prefix = static_cast<unsigned>(std::popcount(*bits));
    if (prefix >= kShortestPrefix)
      out.push_back(IpNetwork::around(IpAddress::v4(*address), prefix));
  }
  return out;
}

result<IpNetwork> choose_subnet(const std::optional<IpNetwork>& wanted,
                                const std::vector<IpNetwork>& taken) {
  if (wanted) {
    const auto* other = conflict(*wanted, taken);
    if (other == nullptr) return *wanted;
    return error(ErrorCode::InvalidConfig,
                 "network.subnet: " + wanted->to_string() + " was given, and this host has " +
                     other->to_string() + " elsewhere",
                 "give another one, or leave it out for one that is free");
  }
  for (unsigned third = 4; third < 255; ++third) {
    const auto one =
        IpNetwork::around(IpAddress::v4(10, 0, static_cast<std::uint8_t>(third), 0), kUsualPrefix);
    if (conflict(one, taken) == nullptr) return one;
  }
  return error(ErrorCode::ResourceExhausted,
               "network.subnet: this host has routes to all of 10.0.4.0/24 to 10.0.254.0/24",
               "give one that is free, as subnet \"192.168.77.0/24\"");
}

std::vector<IpNetwork> taken_networks() {
  // Not /proc/net: that is the main thread's.
  std::ifstream file("/proc/thread-self/net/route");
  std::ostringstream text;
  text << file.rdbuf();
  auto out = routed_networks(text.str());
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return out;
  for (const auto* one = list; one != nullptr; one = one->ifa_next) {
    if (one->ifa_addr == nullptr || one->ifa_addr->sa_family != AF_INET) continue;
    sockaddr_in address;
    std::memcpy(&address, one->ifa_addr, sizeof address);
    out.push_back(IpNetwork::around(IpAddress::v4(ntohl(address.sin_addr.s_addr)), 32));
  }
  ::freeifaddrs(list);
  return out;
}

}  // namespace capsa::net::host_nat
