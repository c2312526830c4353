#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace capsa::net::dns {

/// Cuts a TCP stream into messages: each has its length in two bytes before it (RFC 1035, 4.2.2).
/// Holds at most one message, which is all that a stranger can make us keep. Single-threaded.
class TcpUnframer {
 public:
  /// Takes bytes off the front of `stream`; a message once it is whole, nothing where `stream` is
  /// used up before. The message is valid until the next call.
  std::optional<std::span<const std::byte>> next(std::span<const std::byte>& stream);

 private:
  std::vector<std::byte> held_;  // the length and what is there of the message
  bool given_ = false;
};

/// The message with its length before it; it has at most 65535 bytes.
std::vector<std::byte> frame_for_tcp(std::span<const std::byte> message);

}  // namespace capsa::net::dns
