#pragma once

#include <capsa/ip_address.hpp>
#include <capsa/result.hpp>
#include <chrono>
#include <cstdint>
#include <map>
#include <net/dhcp/leases.hpp>
#include <net/dhcp/message.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace capsa::net::dhcp {

inline constexpr std::uint16_t kServerPort = 67, kClientPort = 68;

struct ServerOptions {
  IpAddress server;   ///< our own address
  IpNetwork network;  ///< in which `server` and the range lie
  IpAddress first;    ///< of the range, last included
  IpAddress last;
  std::optional<IpAddress> router;
  std::vector<IpAddress> dns;
  std::string domain;                      ///< "" for none
  std::uint16_t mtu = 0;                   ///< 0: guests keep their default
  std::chrono::seconds lease_time{86400};  ///< at least a minute
  std::chrono::seconds offer_time{60};     ///< for which an offer is kept
  std::chrono::seconds decline_time{600};  ///< for which a declined address is set aside
};

/// A payload from `server`:67 to port 68.
struct ServerReply {
  std::vector<std::byte> payload;
  MacAddress mac;
  IpAddress address;
};

struct ServerStats {
  std::uint64_t malformed = 0;
  std::uint64_t spoofed = 0;    ///< the hardware address is not the frame's
  std::uint64_t ignored = 0;    ///< for another server, by a relay, or of no use
  std::uint64_t exhausted = 0;  ///< no address was left
  std::uint64_t offers = 0;
  std::uint64_t acks = 0;
  std::uint64_t naks = 0;
};

/// A DHCP server (RFC 2131) that is the only one on its network, and so may refuse what it does not
/// know. A guest is its MAC; a client identifier is given back (RFC 6842) but not believed.
/// Payloads in, payloads out. Single-threaded.
class Server {
 public:
  using Time = Leases::Time;

  /// InvalidConfig where the addresses do not fit each other.
  static result<Server> create(ServerOptions options);

  /// A guest that gets always this address, and `hostname` where it is not "". InvalidConfig where
  /// the address is not one of the network for a guest, or belongs to another.
  result<void> reserve(const MacAddress& mac, const IpAddress& address, std::string hostname = {});
  /// Only a name. InvalidConfig where it is no host name of at most 63 bytes.
  result<void> set_hostname(const MacAddress& mac, std::string hostname);
  /// The guest is gone for good: its reservation and name are forgotten.
  void forget(const MacAddress& mac);

  /// What came to port 67 in a frame from `source`.
  std::optional<ServerReply> on_message(const MacAddress& source,
                                        std::span<const std::byte> payload, Time now);

  const Leases& leases() const noexcept { return leases_; }
  const ServerStats& stats() const noexcept { return stats_; }

 private:
  explicit Server(ServerOptions options);

  std::optional<ServerReply> on_discover(const Message& request, Time now);
  std::optional<ServerReply> on_request(const Message& request, Time now);
  std::optional<ServerReply> offer(const Message& request, const IpAddress& address);
  std::optional<ServerReply> ack(const Message& request, const IpAddress& address);
  std::optional<ServerReply> nak(const Message& request);
  Message begin_reply(const Message& request, MessageType type) const;
  void add_configuration(const Message& request, Message& reply) const;
  ServerReply finish(const Message& request, const Message& reply) const;

  ServerOptions options_;
  Leases leases_;
  std::map<MacAddress, std::string> hostnames_;
  ServerStats stats_;
};

}  // namespace capsa::net::dhcp
