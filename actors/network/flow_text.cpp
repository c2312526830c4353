#include <actors/network/flow_text.hpp>
#include <net/packet/packet.hpp>

namespace capsa::network {

std::string protocol_text(std::uint8_t number) {
  switch (number) {
    case net::ip_protocol::kTcp:
      return "tcp";
    case net::ip_protocol::kUdp:
      return "udp";
    case net::ip_protocol::kIcmp:
    case net::ip_protocol::kIcmpV6:
      return "icmp";
    default:
      return "protocol " + std::to_string(number);
  }
}

std::string endpoint_text(const IpAddress& address, std::uint16_t port) {
  const std::string text =
      address.is_v6() && port != 0 ? "[" + address.to_string() + "]" : address.to_string();
  return port == 0 ? text : text + ":" + std::to_string(port);
}

}  // namespace capsa::network
