#pragma once

#include <capsa/ip_address.hpp>
#include <cstdint>
#include <net/dns/message.hpp>
#include <optional>
#include <vector>

namespace capsa::net::dns {

/// How many CNAME records may lie between a question and its answer.
inline constexpr std::size_t kMaxChain = 8;
/// Seconds. An address is known under a name at least so long, or a client with an answer of TTL 0
/// could never use it; and at most so long, or a rule would outlive what its name means.
inline constexpr std::uint32_t kMinPinTtl = 5;
inline constexpr std::uint32_t kMaxTtl = 3600;

/// What is left of an upstream's response once nothing in it has to be believed.
struct CheckedAnswer {
  Reply reply;
  /// The targets of the CNAME records in their order; the question's name is not among them.
  std::vector<Name> chain;
  std::vector<IpAddress> addresses;
  /// Seconds for which the addresses count as the name: kMinPinTtl to kMaxTtl, and never less
  /// than what the client is told.
  std::uint32_t pin_ttl = kMinPinTtl;
  /// Addresses that were left out: private ones of a public name (rebinding).
  std::vector<IpAddress> private_addresses;
  std::size_t foreign_records = 0;  ///< left out: their owner is not where the chain leads
};

/// Whether no public name may have this address: of the host, its link or anybody's own network,
/// or an IPv6 address that stands for one.
bool is_private_answer(const IpAddress& address) noexcept;

/// Follows the CNAME chain from the question's name and keeps what lies at its end. A chain that is
/// a loop, too long, or leads to a name that cannot be judged becomes ServerFailure without
/// records. `response` is about this question; its rcode is NoError or NameError.
CheckedAnswer check_answer(const Question& question, const Response& response, bool allow_private);

}  // namespace capsa::net::dns
