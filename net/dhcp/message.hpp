#pragma once

#include <capsa/ip_address.hpp>
#include <cstddef>
#include <cstdint>
#include <map>
#include <net/packet/mac_address.hpp>
#include <optional>
#include <span>
#include <vector>

namespace capsa::net::dhcp {

/// RFC 2132, 9.6.
enum class MessageType : std::uint8_t {
  Discover = 1,
  Offer = 2,
  Request = 3,
  Decline = 4,
  Ack = 5,
  Nak = 6,
  Release = 7,
  Inform = 8,
};

/// Options that are looked at or given (RFC 2132).
enum class Option : std::uint8_t {
  Pad = 0,
  SubnetMask = 1,
  Router = 3,
  DnsServer = 6,
  HostName = 12,
  DomainName = 15,
  Mtu = 26,
  Broadcast = 28,
  RequestedAddress = 50,
  LeaseTime = 51,
  Overload = 52,
  MessageType = 53,
  ServerId = 54,
  ParameterList = 55,
  MaxMessageSize = 57,
  RenewalTime = 58,
  RebindingTime = 59,
  ClientId = 61,
  End = 255,
};

inline constexpr std::uint8_t kBootRequest = 1, kBootReply = 2;
inline constexpr std::uint16_t kBroadcastFlag = 0x8000;
/// A client takes at least so many bytes of payload: 576 of a packet less IP and UDP headers (RFC
/// 2131, 2), and never gets fewer than BOOTP's 300.
inline constexpr std::size_t kLeastMax = 576 - 28;
inline constexpr std::size_t kLeastSize = 300;

/// A message, in our own copy (RFC 2131, 2). `sname` and `file` hold no names that anybody needs;
/// where they hold options, these are in `options`.
struct Message {
  std::uint8_t op = kBootRequest;
  std::uint32_t transaction = 0;
  std::uint16_t seconds = 0;
  std::uint16_t flags = 0;
  IpAddress client;     ///< ciaddr: what the client has already
  IpAddress your;       ///< yiaddr: what it gets
  IpAddress relay;      ///< giaddr
  MacAddress hardware;  ///< chaddr
  std::map<std::uint8_t, std::vector<std::byte>> options;

  const std::vector<std::byte>* find(Option option) const;
  std::optional<MessageType> type() const;
  /// Of an option with exactly four bytes.
  std::optional<IpAddress> address(Option option) const;
};

/// Nothing where it is cut short, is not about Ethernet, lacks the cookie, or an option is cut
/// short. Options that come in several parts (RFC 3396) are put together, also over the fields of
/// an overloaded message, in the order of that RFC.
std::optional<Message> parse_message(std::span<const std::byte> payload);

/// Options in the order of their numbers, but first those without which a reply is of no use. What
/// does not fit into `max_size` bytes, or has more than 255 bytes of data, is left out.
std::vector<std::byte> encode(const Message& message, std::size_t max_size);

}  // namespace capsa::net::dhcp
