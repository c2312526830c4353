#pragma once

#include <capsa/detail/unique_fd.hpp>
#include <capsa/result.hpp>
#include <net/frame_meta.hpp>
#include <string>

// The kernel's side of a TAP interface: what ioctls there are (linux/if_tun.h). The interface is
// neither given an address nor brought up here, and is gone with its last fd.
namespace capsa::net {

/// An open TAP without packet information and with virtio's header; its fd does not block.
struct TapDevice {
  UniqueFd fd;
  std::string name;  ///< of the interface
};

/// Makes an interface, or opens one that is there and free. `name` may end in "%d", for the kernel
/// to choose a number; empty for "tap%d". InvalidConfig for a name that cannot be; NotFound without
/// /dev/net/tun; PermissionDenied without CAP_NET_ADMIN; ResourceExhausted where it is in use.
result<TapDevice> open_tap(const std::string& name);

/// Takes one that somebody else has opened, who had the right to. InvalidConfig where it is no TAP
/// as above.
result<TapDevice> adopt_tap(UniqueFd fd);

/// Tells the kernel what it need not do to frames for us.
result<void> set_tap_offloads(const TapDevice& tap, const Offloads& offloads);

}  // namespace capsa::net
