#include <netinet/in.h>
#include <slirp/libslirp.h>
#include <sys/socket.h>

#include <cstring>
#include <net/nat/forward.hpp>
#include <net/nat/slirp_session.hpp>

namespace capsa::net::nat {
namespace {

/// What is usual for servers; the kernel lowers it to its own limit.
constexpr int kBacklog = 128;

struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;
  sockaddr* get() { return reinterpret_cast<sockaddr*>(&storage); }
};

SocketAddress to_socket_address(const IpAddress& address, std::uint16_t port) {
  SocketAddress out;
  if (address.is_v4()) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    std::memcpy(&in.sin_addr, address.bytes().data(), sizeof in.sin_addr);
    out.length = sizeof in;
    std::memcpy(&out.storage, &in, sizeof in);
  } else {
    sockaddr_in6 in{};
    in.sin6_family = AF_INET6;
    in.sin6_port = htons(port);
    std::memcpy(&in.sin6_addr, address.bytes().data(), sizeof in.sin6_addr);
    out.length = sizeof in;
    std::memcpy(&out.storage, &in, sizeof in);
  }
  return out;
}

int flags_of(const ForwardSpec& spec) {
  int flags = spec.protocol == ForwardProtocol::Udp ? SLIRP_HOSTFWD_UDP : 0;
  // One forward is one family: a wildcard of IPv6 must not take IPv4's port.
  if (spec.bind_address.is_v6()) flags |= SLIRP_HOSTFWD_V6ONLY;
  return flags;
}

error why(int host_errno, const ForwardSpec& spec) {
  const std::string doing = "forward " + to_string(spec);
  switch (host_errno) {
    case EADDRINUSE:
      return {ErrorCode::ResourceExhausted, doing + ": the port is in use",
              "choose another host port, or 0 to have one picked"};
    case EACCES:
    case EPERM:
      return {ErrorCode::PermissionDenied, doing + ": the host does not let this process bind it",
              spec.host_port != 0 && spec.host_port < 1024
                  ? "ports below 1024 need CAP_NET_BIND_SERVICE; choose a higher one"
                  : ""};
    case EADDRNOTAVAIL:
    case EAFNOSUPPORT:
      return {ErrorCode::InvalidConfig, doing + ": the host has no such address",
              "bind to an address of this host"};
    default:
      return error_from_errno(host_errno, doing);
  }
}

}  // namespace

std::string to_string(const ForwardSpec& spec) {
  const std::string address = spec.bind_address.to_string();
  return std::string(spec.protocol == ForwardProtocol::Tcp ? "tcp " : "udp ") +
         (spec.bind_address.is_v6() ? "[" + address + "]" : address) + ":" +
         std::to_string(spec.host_port);
}

result<std::uint16_t> add_forward(SlirpSession& session, const ForwardSpec& spec, const int& fd) {
  if (spec.guest_port == 0)
    return error(ErrorCode::InvalidConfig, "forward " + to_string(spec) + ": guest port 0",
                 "give the port the guest listens on");
  if (spec.bind_address.is_v4() != spec.guest_address.is_v4())
    return error(ErrorCode::InvalidConfig,
                 "forward " + to_string(spec) + ": the guest's address " +
                     spec.guest_address.to_string() + " is of another family",
                 "bind to an address of the family of the guest's");
  auto host = to_socket_address(spec.bind_address, spec.host_port);
  auto guest = to_socket_address(spec.guest_address, spec.guest_port);
  errno = 0;
  if (slirp_add_hostxfwd(session.handle(), host.get(), host.length, guest.get(), guest.length,
                         flags_of(spec)) != 0)
    return why(errno, spec);
  session.refresh();
  SocketAddress bound;
  bound.length = sizeof bound.storage;
  if (::getsockname(fd, bound.get(), &bound.length) != 0) return why(errno, spec);
  sockaddr_in in{};  // in both families the port is in the same place
  std::memcpy(&in, &bound.storage, sizeof in);
  const std::uint16_t port = ntohs(in.sin_port);
  if (spec.protocol == ForwardProtocol::Tcp && ::listen(fd, kBacklog) != 0) {
    const int host_errno = errno;
    remove_forward(session, spec, port);
    return why(host_errno, spec);
  }
  return port;
}

void remove_forward(SlirpSession& session, const ForwardSpec& spec, std::uint16_t host_port) {
  auto host = to_socket_address(spec.bind_address, host_port);
  slirp_remove_hostxfwd(session.handle(), host.get(), host.length, flags_of(spec));
}

}  // namespace capsa::net::nat
