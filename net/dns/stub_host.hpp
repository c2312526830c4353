#pragma once

#include <capsa/ip_address.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace capsa::net::dns {

enum class Transport : std::uint8_t { Udp, Tcp };

/// Who asked, and where the reply goes. All of it is the caller's; DnsStub only compares and gives
/// it back.
struct Client {
  std::uint64_t owner = 0;  ///< whose caps it counts against: one VM, however many addresses it has
  IpAddress address;
  std::uint16_t port = 0;
  Transport transport = Transport::Udp;
  std::uint64_t connection = 0;  ///< of TCP
  IpAddress server;              ///< the address of ours that it asked

  friend bool operator==(const Client&, const Client&) = default;
};

/// To be sent from a fresh socket that is connected to the server's port 53, so that nobody else's
/// packets come back by it and its port is one more secret. Over TCP with its length before it
/// (frame_for_tcp()).
struct UpstreamQuery {
  std::uint64_t key = 0;   ///< names it in what follows; never used twice
  std::size_t server = 0;  ///< of the list of upstreams
  Transport transport = Transport::Udp;
  std::vector<std::byte> message;
};

/// What the addresses in a reply stand for. Names are in lower case, without a dot at the end.
struct Resolved {
  std::string name;                ///< that was asked for
  std::vector<std::string> chain;  ///< CNAME targets from there to the one that has the addresses
  std::vector<IpAddress> addresses;
  std::uint32_t ttl = 0;  ///< seconds for which they count as the name
  bool local = false;     ///< one of DnsStub::names()
};

/// Whoever a DnsStub belongs to. Must not call it back from inside any of these.
class StubHost {
 public:
  virtual ~StubHost() = default;
  /// Whether `client` may ask for `name`; called before anything about it leaves the host.
  virtual bool judge(const Client& client, std::string_view name) = 0;
  /// Called before the reply with these addresses: the client's first packet may come at once.
  virtual void resolved(const Client& client, const Resolved& what) = 0;
  /// Private addresses of a public name were kept from the client (rebinding).
  virtual void private_answer(const Client& client, std::string_view name,
                              const std::vector<IpAddress>& addresses) = 0;
  /// A message to the client; over TCP its length goes before it.
  virtual void reply(const Client& client, std::span<const std::byte> message) = 0;
  virtual void ask(const UpstreamQuery& query) = 0;
  /// Nothing is expected any more for the query of this key: its socket can be closed.
  virtual void forget(std::uint64_t key) = 0;
};

}  // namespace capsa::net::dns
