#pragma once

#include <capsa/detail/unique_fd.hpp>
#include <capsa/loop.hpp>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <net/dns/stub_host.hpp>
#include <net/dns/tcp_framing.hpp>
#include <vector>

namespace capsa::network {

/// A resolver to ask.
struct Upstream {
  IpAddress address;
  std::uint16_t port = 53;
  std::string zone;  ///< the interface of a link-local IPv6 address
  friend bool operator==(const Upstream&, const Upstream&) = default;
};

/// The sockets of a DnsStub: a fresh one for each query, connected to its resolver, so that nobody
/// else's packets come back by it. Everything on one loop. No callback from inside ask().
class DnsSockets {
 public:
  using OnMessage = std::function<void(std::uint64_t key, std::span<const std::byte>)>;
  using OnFailed = std::function<void(std::uint64_t key)>;

  DnsSockets(Loop& loop, OnMessage on_message, OnFailed on_failed)
      : loop_(loop), on_message_(std::move(on_message)), on_failed_(std::move(on_failed)) {}
  ~DnsSockets();
  DnsSockets(const DnsSockets&) = delete;
  DnsSockets& operator=(const DnsSockets&) = delete;

  void ask(const net::dns::UpstreamQuery& query, const Upstream& upstream);
  /// Closes it.
  void forget(std::uint64_t key);

 private:
  struct Query {
    UniqueFd fd;
    bool stream = false;
    std::vector<std::byte> outgoing;  // of a stream, what is not sent yet
    net::dns::TcpUnframer incoming;
  };

  void on_ready(std::uint64_t key, std::uint32_t events);
  bool flush(Query& query);
  void receive(std::uint64_t key, Query& query);
  void fail_later(std::uint64_t key);

  Loop& loop_;
  OnMessage on_message_;
  OnFailed on_failed_;
  std::map<std::uint64_t, std::unique_ptr<Query>> queries_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace capsa::network
