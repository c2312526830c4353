#pragma once

#include <capsa/ip_address.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace capsa::net::dns {

/// A server to ask. A link-local IPv6 address is of use only on the interface that its zone names.
struct Resolver {
  IpAddress address;
  std::string zone;  ///< "eth0" of fe80::1%eth0; "" where there is none

  friend bool operator==(const Resolver&, const Resolver&) = default;
};

/// The name servers in the text of a resolv.conf(5), in their order, each once, at most
/// kMaxResolvers. Lines that are malformed are passed over, as the C library does. Empty where
/// there are none; the C library then asks 127.0.0.1.
std::vector<Resolver> resolvers_from_resolv_conf(std::string_view text);

/// What the C library uses (MAXNS); the others of the list are never asked.
inline constexpr std::size_t kMaxResolvers = 3;

}  // namespace capsa::net::dns
