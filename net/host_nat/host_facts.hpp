#pragma once

#include <capsa/result.hpp>
#include <filesystem>

namespace capsa::net::host_nat {

/// What decides whether the host's kernel can be a guest's NAT.
struct HostFacts {
  bool may_administer = false;  ///< CAP_NET_ADMIN (capabilities(7))
  bool has_tun = false;         ///< /dev/net/tun
  std::filesystem::path nft;    ///< empty: it is not installed
  bool forwards = false;        ///< net.ipv4.ip_forward
};

/// Of the calling thread, and of its network namespace.
HostFacts host_facts();

/// PermissionDenied, NotFound or UnsupportedFeature, with what to do. Forwarding is not switched on
/// here: it makes a router of the host for everybody on its networks, which is for its
/// administrator to decide.
result<void> check(const HostFacts& facts);

}  // namespace capsa::net::host_nat
