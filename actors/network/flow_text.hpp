#pragma once

#include <capsa/ip_address.hpp>
#include <cstdint>
#include <string>

namespace capsa::network {

/// "tcp", "udp", "icmp" (of either family), or "protocol 47".
std::string protocol_text(std::uint8_t ip_protocol);

/// "192.0.2.1:443", "[2001:db8::1]:443", and the address alone for port 0.
std::string endpoint_text(const IpAddress& address, std::uint16_t port);

}  // namespace capsa::network
