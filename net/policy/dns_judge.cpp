#include <algorithm>
#include <net/packet/packet.hpp>
#include <net/policy/dns_judge.hpp>

namespace capsa::net {
namespace {

/// Of one answer: what fits into a message of a size that anybody sends.
constexpr std::size_t kMaxAddresses = 64;

constexpr std::uint16_t kDnsPort = 53;

}  // namespace

Verdict DnsJudge::may_ask(std::string_view name, const IpAddress& from, TimePoint now) {
  Verdict verdict = judge_question(policy_, name);
  // To the gateway's address of the guest's family, or nobody where there is none.
  IpAddress to;
  for (const auto& address : context_.gateway) {
    if (address.is_v4() == from.is_v4()) to = address;
  }
  if (verdict.is_logged()) {
    log_.add({now, verdict.logged, verdict.logged_by_default, verdict.allowed, ip_protocol::kUdp,
              from, to, 0, kDnsPort, canonical_domain(name)});
  }
  if (!verdict.allowed) {
    denials_.add({now, verdict.rule, verdict.builtin, describe(verdict, policy_), ip_protocol::kUdp,
                  from, to, 0, kDnsPort, canonical_domain(name)});
  }
  return verdict;
}

std::vector<IpAddress> DnsJudge::pin(std::string_view name, std::span<const IpAddress> addresses,
                                     std::chrono::seconds ttl, TimePoint now, AnswerSource source) {
  std::vector<IpAddress> out;
  const std::string canonical = canonical_domain(name);
  for (const auto& address : addresses.first(std::min(addresses.size(), kMaxAddresses))) {
    if (source == AnswerSource::Upstream) {
      // A peer is as good as a private address to somebody who can choose the answer, and the
      // gateway's may stand for the host.
      const bool inside = context_.is_peer(address) || context_.is_gateway(address) ||
                          special_range(context_, address).why != Builtin::None;
      if (inside && !names_address(policy_, context_, address)) {
        ++rebindings_;
        continue;
      }
    }
    pins_.add(address, canonical, ttl, now);
    out.push_back(address);
  }
  return out;
}

}  // namespace capsa::net
