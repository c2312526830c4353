#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <net/dns/answer.hpp>
#include <net/dns/local_names.hpp>
#include <net/dns/message.hpp>
#include <net/dns/stub_host.hpp>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>

namespace capsa::net::dns {

struct StubOptions {
  std::size_t upstreams = 1;  ///< how many servers there are to ask; they are tried in turn
  /// Let private addresses of public names through, and ask for the names of private addresses.
  bool allow_private_answers = false;
  std::chrono::milliseconds timeout{2000};  ///< of one try
  /// How often a question is asked at most, but every server once; two fit into the five seconds
  /// after which the C library asks again.
  std::size_t tries = 2;
  std::size_t max_per_owner = 64;  ///< questions under way; each costs a socket of this process
  std::size_t max_total = 256;     ///< of all clients; a process usually may have 1024 descriptors
  /// Fresh IDs for upstream queries; std::random_device where empty.
  std::function<std::uint16_t()> random_id;
};

/// Counters since construction.
struct StubStats {
  std::uint64_t questions = 0;   ///< well-formed, from clients
  std::uint64_t malformed = 0;   ///< from clients
  std::uint64_t denied = 0;      ///< by StubHost::judge()
  std::uint64_t refused = 0;     ///< types, classes and names that are never asked for
  std::uint64_t local = 0;       ///< answered without asking
  std::uint64_t asked = 0;       ///< queries to upstreams, repetitions included
  std::uint64_t repeated = 0;    ///< by a client whose question is under way: nothing is done
  std::uint64_t over_limit = 0;  ///< answered with SERVFAIL as too many are under way
  std::uint64_t wrong = 0;       ///< from an upstream's address: not an answer to what was asked
  std::uint64_t late = 0;        ///< answers to what nobody waits for any more
  std::uint64_t timeouts = 0;
  std::uint64_t failed = 0;             ///< questions that no upstream answered
  std::uint64_t private_addresses = 0;  ///< kept from clients
  std::uint64_t foreign_records = 0;    ///< kept from clients: not at the end of the chain
};

/// A DNS forwarder that believes nobody (RFC 1035; RFC 5452). Clients are hostile: what they ask is
/// judged, asked anew in our own words, and bounded. Upstreams may be spoofed: an answer must have
/// the ID and question of what was asked, and only what the chain from the question leads to is
/// passed on, in a reply of our own. No sockets, no clock: driven by calls, answers through
/// StubHost. Single-threaded.
class DnsStub {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// `host` outlives it.
  DnsStub(StubHost& host, LocalNames names, StubOptions options = {});
  DnsStub(const DnsStub&) = delete;
  DnsStub& operator=(const DnsStub&) = delete;

  LocalNames& names() noexcept { return names_; }
  /// Takes effect with the next try of each question.
  void set_upstreams(std::size_t count) noexcept { options_.upstreams = count; }
  /// For a new policy; questions under way go on as before.
  void set_allow_private_answers(bool allow) noexcept { options_.allow_private_answers = allow; }

  /// What a client sent to port 53: a datagram's payload, or a message of a stream without length.
  void on_query(const Client& client, std::span<const std::byte> message, Time now);
  /// What came by the socket of StubHost::ask() with this key.
  void on_upstream(std::uint64_t key, std::span<const std::byte> message, Time now);
  /// That socket failed, or its stream ended: the next server is asked at once.
  void on_upstream_failed(std::uint64_t key, Time now);
  /// Forgets all that this client waits for: a VM that left, or a TCP connection that ended.
  void forget(const std::function<bool(const Client&)>& whose);

  /// When on_deadline() is to be called; nothing where nothing is under way.
  std::optional<Time> next_deadline() const;
  void on_deadline(Time now);

  std::size_t under_way() const noexcept { return pending_.size(); }
  const StubStats& stats() const noexcept { return stats_; }

 private:
  struct Pending {
    Client client;
    Query query;
    std::string name;
    std::size_t server = 0;
    std::size_t tries = 0;
    Transport transport = Transport::Udp;
    bool edns = true;
    std::uint16_t id = 0;
    unsigned wrong = 0;
    Time deadline{};
  };
  using PendingMap = std::map<std::uint64_t, Pending>;

  void on_question(const Client& client, Query query, Time now);
  std::optional<Reply> answer_at_once(const Client& client, const Query& query);
  bool is_repeated(const Client& client, const Query& query) const;
  void ask_upstream(Pending pending, Time now);
  Pending take(PendingMap::iterator at);
  void on_wrong(PendingMap::iterator at, Time now);
  void try_next(Pending pending, Time now);
  void on_answer(Pending pending, const Response& response);
  void reply(const Client& client, const Query& query, const Reply& reply);
  void reply(const Client& client, const Query& query, Rcode rcode);
  std::uint16_t fresh_id();

  StubHost& host_;
  LocalNames names_;
  StubOptions options_;
  PendingMap pending_;                                  // by the key of the try under way
  std::set<std::pair<Time, std::uint64_t>> deadlines_;  // of each in pending_
  std::map<std::uint64_t, std::size_t> per_owner_;      // how many of pending_
  std::uint64_t next_key_ = 1;
  std::size_t preferred_ = 0;  // the server that answered last: a dead one is not waited for twice
  StubStats stats_;
};

}  // namespace capsa::net::dns
