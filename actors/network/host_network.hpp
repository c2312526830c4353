#pragma once

#include <actors/network/dns_sockets.hpp>
#include <capsa/ip_address.hpp>
#include <chrono>
#include <vector>

namespace capsa::network {

/// The host's addresses are asked anew while there is traffic: an address that is new is out of
/// reach of guests so much later at most.
constexpr std::chrono::seconds kHostRefresh{5};

/// All addresses of the host's interfaces, the loopback's included (getifaddrs(3)). They change
/// while the host runs. Empty where the host does not tell.
std::vector<IpAddress> host_addresses();

/// What the host's C library asks: the name servers of /etc/resolv.conf, else 127.0.0.1.
std::vector<Upstream> host_resolvers();

}  // namespace capsa::network
