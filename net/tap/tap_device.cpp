#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>
#include <net/tap/tap_device.hpp>
#include <net/vnet_header.hpp>

namespace capsa::net {
namespace {

constexpr char kDevice[] = "/dev/net/tun";
constexpr short kFlags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;

error not_allowed(int why, const std::string& doing) {
  return error_from_errno(why, doing,
                          "a TAP interface needs CAP_NET_ADMIN; the network mode UserNat needs no "
                          "right at all");
}

error cannot_open(int why) {
  const std::string doing = "open /dev/net/tun";
  if (why == EPERM || why == EACCES) return not_allowed(why, doing);
  return error_from_errno(
      why, doing, "the kernel's module tun gives it; the network mode UserNat does without");
}

error cannot_attach(int why, const std::string& name) {
  const std::string doing = "make the TAP interface " + (name.empty() ? "tap%d" : name);
  if (why == EPERM || why == EACCES) return not_allowed(why, doing);
  if (why == EBUSY)
    return {ErrorCode::ResourceExhausted, doing + ": it is in use", "choose another name"};
  if (why == EINVAL)
    return {ErrorCode::InvalidConfig, doing + ": an interface of this name is no TAP of this kind",
            "choose another name"};
  return error_from_errno(why, doing);
}

/// What the kernel is told once: our header, in our byte order, and no blocking.
result<void> prepare(int fd) {
  int header = kVnetHeaderBytes;
  if (::ioctl(fd, TUNSETVNETHDRSZ, &header) != 0)
    return error_from_errno(errno, "set a TAP's header size");
  int on = 1;
  if (::ioctl(fd, TUNSETVNETLE, &on) != 0) return error_from_errno(errno, "set a TAP's byte order");
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0)
    return error_from_errno(errno, "make a TAP non-blocking");
  return {};
}

}  // namespace

result<TapDevice> open_tap(const std::string& name) {
  // As the kernel has it, except that it allows "%d" only once.
  if (name.size() >= IFNAMSIZ || name == "." || name == ".." ||
      name.find_first_of("/: \t\n") != std::string::npos || name.find('\0') != std::string::npos)
    return error(ErrorCode::InvalidConfig, "tap: \"" + name + "\" is no name of an interface",
                 "at most 15 characters, without space, colon and slash");
  TapDevice tap;
  tap.fd = UniqueFd(::open(kDevice, O_RDWR | O_CLOEXEC));
  if (!tap.fd) return cannot_open(errno);
  ifreq request{};
  std::memcpy(request.ifr_name, name.c_str(), name.size());
  request.ifr_flags = kFlags;
  if (::ioctl(tap.fd.get(), TUNSETIFF, &request) != 0) return cannot_attach(errno, name);
  tap.name = request.ifr_name;
  if (auto done = prepare(tap.fd.get()); !done) return done.error();
  return tap;
}

result<TapDevice> adopt_tap(UniqueFd fd) {
  ifreq request{};
  if (::ioctl(fd.get(), TUNGETIFF, &request) != 0)
    return error(ErrorCode::InvalidConfig, "tap: the file descriptor is none of a TAP interface");
  constexpr short kNeeded = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
  if ((request.ifr_flags & kNeeded) != kNeeded)
    return error(ErrorCode::InvalidConfig,
                 "tap: " + std::string(request.ifr_name) + " is of another kind",
                 "open it with IFF_TAP, IFF_NO_PI and IFF_VNET_HDR");
  TapDevice tap{std::move(fd), request.ifr_name};
  if (auto done = prepare(tap.fd.get()); !done) return done.error();
  return tap;
}

result<void> set_tap_offloads(const TapDevice& tap, const Offloads& offloads) {
  unsigned long flags = 0;
  if (offloads.checksum) {
    flags |= TUN_F_CSUM;
    if (offloads.tso4) flags |= TUN_F_TSO4;
    if (offloads.tso6) flags |= TUN_F_TSO6;
    if (offloads.ecn && (offloads.tso4 || offloads.tso6)) flags |= TUN_F_TSO_ECN;
  }
  if (::ioctl(tap.fd.get(), TUNSETOFFLOAD, flags) != 0)
    return error_from_errno(errno, "set the offloads of " + tap.name);
  return {};
}

}  // namespace capsa::net
