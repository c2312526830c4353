#pragma once

#include <capsa/detail/unique_fd.hpp>
#include <capsa/ip_address.hpp>
#include <functional>
#include <net/packet/mac_address.hpp>
#include <net/tap/tap_device.hpp>
#include <optional>
#include <string>

namespace capsa::bench {

/// A network namespace (network_namespaces(7)), there as long as this or somebody in it. It stands
/// for a guest: what lies in it reaches the host by its TAP interface only. Everything throws
/// capsa::error.
class NetSpace {
 public:
  static constexpr const char* kInterface = "tap0";

  /// Needs CAP_SYS_ADMIN.
  NetSpace();

  /// Runs `work` on a thread that is in it, and waits. Programs that it starts are in it as well.
  void run(const std::function<void()>& work) const;

  /// Its interface, with this address and a /24, up, with an MTU of 1500; `mac`: not the kernel's
  /// choice.
  net::TapDevice make_tap(const IpAddress& address, std::optional<net::MacAddress> mac) const;
  /// Waits until somebody else has made the interface and given it an address.
  void wait_for_interface() const;

  /// A copy for a program to inherit.
  UniqueFd inheritable() const;

 private:
  UniqueFd space_;
};

}  // namespace capsa::bench
