#pragma once

#include <capsa/ip_address.hpp>
#include <capsa/network_policy.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace capsa::net {

/// What decided, where no rule of the policy and not its default did.
enum class Builtin : std::uint8_t {
  None,
  Loopback,      ///< 127/8, ::1: the host itself
  ThisHost,      ///< 0/8, ::: the host itself in other words
  LinkLocal,     ///< 169.254/16, fe80::/10: metadata services
  Multicast,     ///< 224/4, ff00::/8, broadcast and 240/4
  HostAddress,   ///< one of the host's own
  Private,       ///< somebody's own network, which no address rule names
  Gateway,       ///< what the gateway does not serve
  DnsElsewhere,  ///< port 53 of anybody but the gateway
  Quic,          ///< allowed by a name only, which QUIC does not show
  NoTransport,   ///< no protocol that has flows: neither TCP nor UDP nor ping
  NameMissing,   ///< allowed by a name, and the flow carries none
  NameMismatch,  ///< allowed by a name, and the flow carries another one
  NameHidden,    ///< allowed by a name, and the flow carries an encrypted one (ECH)
  BadHello,      ///< allowed by a name, and what should carry it is malformed or too long
  TooManyFlows,  ///< a cap of the flow table, or of what is kept to look for names
};

/// One sentence part, as "the host's loopback".
std::string_view to_string(Builtin builtin) noexcept;

/// Where a VM's port lies: what the judgement of an address depends on besides the policy.
struct NetworkContext {
  /// All addresses of the gateway, with those of its resolver.
  std::vector<IpAddress> gateway;
  /// Networks whose members are peers and not somebody else's private addresses: a cluster's.
  std::vector<IpNetwork> peers;
  /// The host's own addresses on all its interfaces.
  std::vector<IpAddress> host_addresses;
  /// The gateway's address stands for the host's loopback, under the policy as any other address.
  bool host_loopback = false;

  bool is_gateway(const IpAddress& address) const noexcept;
  bool is_peer(const IpAddress& address) const noexcept;
};

/// Why `address` is out of reach unless a rule names it, and all addresses that are so for the same
/// reason. Judges what a v6 address stands for, see IpAddress::embedded_v4().
struct SpecialRange {
  Builtin why = Builtin::None;
  IpNetwork range;
};
SpecialRange special_range(const NetworkContext& context, const IpAddress& address);

/// What is known of a flow when it is judged.
struct FlowFacts {
  Protocol protocol = Protocol::Tcp;
  IpAddress remote;
  std::uint16_t port = 0;  ///< of the far side; of Icmp not looked at
  /// What the remote address counts as; in canonical form.
  const std::vector<std::string>* names = nullptr;
};

struct Verdict {
  bool allowed = false;
  /// Which rule decided, from 0; none where the default or a Builtin did.
  std::optional<std::size_t> rule;
  Builtin builtin = Builtin::None;
  /// The Log rules that matched before.
  std::vector<std::size_t> logged;
  bool logged_by_default = false;
  /// Allowed by a rule with a domain: the flow must carry one of `names`.
  bool by_name = false;
  std::vector<std::string> names;

  bool is_logged() const noexcept { return logged_by_default || !logged.empty(); }
};

/// "rule 3: deny domain *.example.com", "the default: deny", or the Builtin.
std::string describe(const Verdict& verdict, const NetworkPolicy& policy);

/// Judges one flow: the first Allow or Deny that matches, else the default; what is special is
/// reached by an Allow that names its address only. A rule with a domain matches where one of the
/// names does; without any name an Allow does not match, and a Deny and a Log do. Pure.
Verdict judge(const NetworkPolicy& policy, const NetworkContext& context, const FlowFacts& facts);

/// Judges the question for a name, as UDP port 53 whichever way it came. An Allow with a domain
/// that matches allows the question, whatever else it asks of the flows to come. Rules about
/// addresses do not match: the resolver is ours. Pure.
Verdict judge_question(const NetworkPolicy& policy, std::string_view name);

/// Whether some Allow rule names the address, see judge().
bool names_address(const NetworkPolicy& policy, const NetworkContext& context,
                   const IpAddress& address);

/// Whether some Deny or Log depends on names: then what flows carry is looked at.
bool denies_by_name(const NetworkPolicy& policy) noexcept;

}  // namespace capsa::net
