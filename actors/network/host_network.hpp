#pragma once

#include <actors/network/dns_sockets.hpp>
#include <capsa/ip_address.hpp>
#include <vector>

namespace capsa::network {

/// All addresses of the host's interfaces, the loopback's included (getifaddrs(3)). They change
/// while the host runs. Empty where the host does not tell.
std::vector<IpAddress> host_addresses();

/// What the host's C library asks: the name servers of /etc/resolv.conf, else 127.0.0.1.
std::vector<Upstream> host_resolvers();

}  // namespace capsa::network
