#pragma once

#include <capsa/ip_address.hpp>
#include <capsa/result.hpp>
#include <cstdint>
#include <net/packet/mac_address.hpp>
#include <string>

namespace capsa::net::nat {

class SlirpSession;

enum class ForwardProtocol : std::uint8_t { Tcp, Udp };

/// A port of the host that stands for one of a guest.
struct ForwardSpec {
  ForwardProtocol protocol = ForwardProtocol::Tcp;
  /// Who can reach it: with another address than the loopback, the host's network too. Of one
  /// family with `guest_address`.
  IpAddress bind_address = IpAddress::v4(127, 0, 0, 1);
  std::uint16_t host_port = 0;  ///< 0: one that is free
  MacAddress guest;
  IpAddress guest_address;
  std::uint16_t guest_port = 0;

  friend bool operator==(const ForwardSpec&, const ForwardSpec&) = default;
};

/// "tcp 127.0.0.1:8080"
std::string to_string(const ForwardSpec& spec);

// libslirp accepts and makes the connection to the guest: no bytes are copied twice, and the guest
// sees the peer's own address. Its backlog of 1 is put right by a second listen(2) on its
// descriptor, and the port it got is asked of the descriptor as well; accepting by ourselves would
// need a second hop through a socket of libslirp, since it has no way to be handed a connection.

/// Has libslirp listen. InvalidConfig for a guest port of 0, a mix of families, or an address that
/// is not this host's; PermissionDenied below port 1024 where the process may not;
/// ResourceExhausted where the port is in use. Each names the port.
///
/// Gives the port. `fd` is set by SlirpListener::opened() meanwhile.
result<std::uint16_t> add_forward(SlirpSession& session, const ForwardSpec& spec, const int& fd);
/// Connections that were made stay.
void remove_forward(SlirpSession& session, const ForwardSpec& spec, std::uint16_t host_port);

}  // namespace capsa::net::nat
