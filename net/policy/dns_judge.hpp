#pragma once

#include <chrono>
#include <net/policy/events.hpp>
#include <net/policy/name_pins.hpp>
#include <net/policy/verdict.hpp>
#include <span>
#include <string_view>
#include <vector>

namespace capsa::net {

/// Who vouches for an answer.
enum class AnswerSource : std::uint8_t {
  Upstream,  ///< somebody's resolver: its answers may be an attacker's
  Own,       ///< our own table of peers
};

/// What the resolver of one VM asks before it asks anybody, and tells before it answers. Lives in
/// the VM's PortGuard. Single-threaded.
class DnsJudge {
 public:
  DnsJudge(const NetworkPolicy& policy, const NetworkContext& context, NamePins& pins,
           DenialLog& denials, FlowLog& log)
      : policy_(policy), context_(context), pins_(pins), denials_(denials), log_(log) {}

  /// Whether the question for `name` may leave the host. A denial is an event; the answer to the
  /// guest is REFUSED. `from` is the guest's address.
  Verdict may_ask(std::string_view name, const IpAddress& from, TimePoint now);

  /// The addresses of an answer to the question for `name`, at the end of its CNAME chain: counts
  /// each as that name for `ttl`, and returns those that may be told to the guest. Of Upstream,
  /// addresses of the host, of private networks and the like are left out, unless an Allow rule
  /// names them.
  std::vector<IpAddress> pin(std::string_view name, std::span<const IpAddress> addresses,
                             std::chrono::seconds ttl, TimePoint now,
                             AnswerSource source = AnswerSource::Upstream);

  /// Addresses that were left out.
  std::uint64_t rebindings() const noexcept { return rebindings_; }

 private:
  const NetworkPolicy& policy_;
  const NetworkContext& context_;
  NamePins& pins_;
  DenialLog& denials_;
  FlowLog& log_;
  std::uint64_t rebindings_ = 0;
};

}  // namespace capsa::net
