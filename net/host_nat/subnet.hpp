#pragma once

#include <capsa/ip_address.hpp>
#include <capsa/result.hpp>
#include <optional>
#include <string_view>
#include <vector>

namespace capsa::net::host_nat {

/// The networks in /proc/net/route (proc(5)): what the host has a route to. Default routes are not
/// among them, nor such as are a default in parts (0.0.0.0/1): whatever is behind them has a place
/// for a network of ours. Lines that are none are passed over.
std::vector<IpNetwork> routed_networks(std::string_view table);

/// A network for a guest that overlaps none of `taken`: the one that was asked for, else
/// InvalidConfig; without such a wish the first of 10.0.4.0/24 to 10.0.254.0/24, else
/// ResourceExhausted.
result<IpNetwork> choose_subnet(const std::optional<IpNetwork>& wanted,
                                const std::vector<IpNetwork>& taken);

/// What `taken` is on this host now, of the calling thread's network namespace: routes of the main
/// table, and addresses of interfaces.
std::vector<IpNetwork> taken_networks();

}  // namespace capsa::net::host_nat
