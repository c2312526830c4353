#pragma once

#include <cstddef>
#include <cstdint>
#include <net/dns/name.hpp>
#include <optional>
#include <span>
#include <variant>
#include <vector>

namespace capsa::net::dns {

/// Types that are told apart; any other number may be in a message too.
enum class Type : std::uint16_t {
  A = 1,
  Ns = 2,
  Cname = 5,
  Soa = 6,
  Null = 10,
  Ptr = 12,
  Mx = 15,
  Txt = 16,
  Aaaa = 28,
  Srv = 33,
  Opt = 41,
  Svcb = 64,
  Https = 65,
  Axfr = 252,
  Any = 255,
};

enum class Rcode : std::uint8_t {
  NoError = 0,
  FormatError = 1,
  ServerFailure = 2,
  NameError = 3,
  NotImplemented = 4,
  Refused = 5,
  BadVersion = 16,  ///< RFC 6891, 9: only in replies with an OPT record
};

inline constexpr std::uint16_t kClassInternet = 1;
inline constexpr std::size_t kMaxMessage = 65535;
/// What a resolver without EDNS takes over UDP (RFC 1035, 2.3.4).
inline constexpr std::size_t kPlainUdp = 512;
/// What fits every path unfragmented, IPv6's least MTU among them; the size of DNS Flag Day 2020.
inline constexpr std::size_t kEdnsUdp = 1232;

struct Question {
  Name name;
  Type type = Type::A;
  std::uint16_t cls = kClassInternet;

  friend bool operator==(const Question&, const Question&) = default;
};

/// What a client asks, in our own copy.
struct Query {
  std::uint16_t id = 0;
  bool recursion_desired = false;
  Question question;
  /// Bytes a reply over UDP may have, where the client says so (RFC 6891); else kPlainUdp.
  std::optional<std::uint16_t> edns_size;
  std::uint8_t edns_version = 0;

  /// The largest reply over UDP: never more than kEdnsUdp, so that it is never fragmented.
  std::size_t udp_limit() const noexcept;
};

/// A message that is no question. With `rcode` it is to be answered by a bare header, without it
/// by nothing: an answer to an answer would go round for ever.
struct BadQuery {
  std::uint16_t id = 0;
  std::optional<Rcode> rcode;
  std::uint8_t opcode = 0;
};

/// One resource record of class IN whose data is checked and holds no compressed names.
struct Record {
  Name owner;
  Type type = Type::A;
  std::uint32_t ttl = 0;  ///< seconds
  std::vector<std::byte> data;

  friend bool operator==(const Record&, const Record&) = default;
};

/// What an upstream says. Records of types that are never passed on are left out.
struct Response {
  std::uint16_t id = 0;
  bool truncated = false;
  Rcode rcode = Rcode::NoError;
  std::optional<Question> question;
  std::vector<Record> answers;
  std::vector<Record> authorities;  ///< SOA only
};

/// Strict: opcode QUERY, one question, no records but one OPT, nothing behind them.
std::variant<Query, BadQuery> parse_query(std::span<const std::byte> message);

/// Nothing where it is malformed anywhere, is no response to a standard query, or has more than
/// one question or kMaxRecords records in a section.
std::optional<Response> parse_response(std::span<const std::byte> message);

/// More is not an answer to an address question of anybody honest, and bounds what one costs us.
inline constexpr std::size_t kMaxRecords = 512;

/// A question to an upstream, recursion desired.
std::vector<std::byte> encode_query(std::uint16_t id, const Question& question, bool edns);

/// What is told to a client.
struct Reply {
  Rcode rcode = Rcode::NoError;
  bool authoritative = false;
  std::vector<Record> answers;
  std::optional<Record> soa;
};

/// The reply to `query` in at most `limit` bytes (Query::udp_limit(), or kMaxMessage over TCP);
/// where it is larger, one without records and with the TC bit.
std::vector<std::byte> encode_reply(const Query& query, const Reply& reply, std::size_t limit);

/// A bare header for what could not be read.
std::vector<std::byte> encode_bad_query(const BadQuery& bad, Rcode rcode);

}  // namespace capsa::net::dns
