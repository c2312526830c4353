#pragma once

#include <string>
#include <vector>

namespace capsa::agent::guest {

/// Brings up the card that has this MAC address, with an IPv4 address and, unless `gateway` is
/// empty, a default route. 0 or errno: ENODEV where there is no such card, EINVAL for text that is
/// no address.
int set_up_interface(const std::string& mac, const std::string& address, unsigned prefix,
                     const std::string& gateway);

/// Writes /etc/resolv.conf with these name servers. 0 or errno.
int write_resolv_conf(const std::vector<std::string>& resolvers);

}  // namespace capsa::agent::guest
