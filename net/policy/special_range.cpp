#include <algorithm>
#include <net/policy/verdict.hpp>

namespace capsa::net {
namespace {

IpNetwork v4(std::uint8_t a, std::uint8_t b, unsigned prefix) {
  return IpNetwork::around(IpAddress::v4(a, b, 0, 0), prefix);
}
IpNetwork v6(std::uint16_t first, unsigned prefix) {
  return IpNetwork::around(IpAddress::v6({first}), prefix);
}
IpNetwork one(const IpAddress& address) {
  return IpNetwork::around(address, 128);
}

// Neither table is ever destroyed: at the end of the program a switch of a runtime that is a static
// object still asks, from a thread of its own.
using Ranges = std::vector<SpecialRange>;

/// Of the Internet's registries (RFC 6890 and those it names); the first that holds counts.
const Ranges& fixed_ranges() {
  static const Ranges& ranges = *new Ranges{
      {Builtin::ThisHost, v4(0, 0, 8)},
      {Builtin::Loopback, v4(127, 0, 8)},
      {Builtin::LinkLocal, v4(169, 254, 16)},
      {Builtin::Multicast, v4(224, 0, 4)},
      {Builtin::Multicast, v4(240, 0, 4)},
      {Builtin::ThisHost, one(IpAddress::v6({}))},
      {Builtin::Loopback, one(IpAddress::v6({0, 0, 0, 0, 0, 0, 0, 1}))},
      {Builtin::LinkLocal, v6(0xfe80, 10)},
      {Builtin::Multicast, v6(0xff00, 8)},
  };
  return ranges;
}

/// What IpAddress::is_private() knows, as ranges.
const Ranges& private_ranges() {
  static const Ranges& ranges = *new Ranges{
      {Builtin::Private, v4(10, 0, 8)},
      {Builtin::Private, v4(172, 16, 12)},
      {Builtin::Private, v4(192, 168, 16)},
      {Builtin::Private, v4(100, 64, 10)},
      {Builtin::Private, v4(192, 0, 24)},
      {Builtin::Private, v4(198, 18, 15)},
      {Builtin::Private, v6(0xfc00, 7)},
      {Builtin::Private, v6(0xfec0, 10)},
      {Builtin::Private, IpNetwork::around(IpAddress::v6({0x64, 0xff9b, 1}), 48)},
  };
  return ranges;
}

SpecialRange find(const Ranges& ranges, const IpAddress& address) {
  const auto at = std::find_if(ranges.begin(), ranges.end(), [&](const SpecialRange& special) {
    return special.range.contains(address);
  });
  return at == ranges.end() ? SpecialRange{} : *at;
}

bool holds(const std::vector<IpAddress>& addresses, const IpAddress& address) {
  return std::find(addresses.begin(), addresses.end(), address) != addresses.end();
}

}  // namespace

bool NetworkContext::is_gateway(const IpAddress& address) const noexcept {
  return holds(gateway, address);
}

bool NetworkContext::is_peer(const IpAddress& address) const noexcept {
  return std::any_of(peers.begin(), peers.end(),
                     [&](const IpNetwork& network) { return network.contains(address); });
}

SpecialRange special_range(const NetworkContext& context, const IpAddress& given) {
  const IpAddress address = given.embedded_v4().value_or(given);
  if (context.is_gateway(address))
    return context.host_loopback ? SpecialRange{} : SpecialRange{Builtin::Gateway, one(address)};
  if (const auto fixed = find(fixed_ranges(), address); fixed.why != Builtin::None) return fixed;
  // Before private networks: a rule for the network that the host is in does not name the host.
  if (holds(context.host_addresses, address)) return {Builtin::HostAddress, one(address)};
  if (context.is_peer(address)) return {};
  return find(private_ranges(), address);
}

std::string_view to_string(Builtin builtin) noexcept {
  switch (builtin) {
    case Builtin::None:
      return "nothing";
    case Builtin::Loopback:
      return "the host's loopback";
    case Builtin::ThisHost:
      return "an address that stands for the host";
    case Builtin::LinkLocal:
      return "a link-local address";
    case Builtin::Multicast:
      return "multicast";
    case Builtin::HostAddress:
      return "an address of the host";
    case Builtin::Private:
      return "a private address that no rule names";
    case Builtin::Gateway:
      return "the gateway, which does not serve this";
    case Builtin::DnsElsewhere:
      return "a resolver other than the gateway's";
    case Builtin::Quic:
      return "QUIC, which hides the name that a rule needs";
    case Builtin::NoTransport:
      return "a protocol other than TCP, UDP and ping";
    case Builtin::NameMissing:
      return "no name in a flow that is allowed by its name";
    case Builtin::NameMismatch:
      return "another name than the flow is allowed by";
    case Builtin::NameHidden:
      return "an encrypted name in a flow that is allowed by its name";
    case Builtin::BadHello:
      return "a malformed start of a flow that is allowed by its name";
    case Builtin::TooManyFlows:
      return "too many flows at once";
  }
  return "unknown";
}

}  // namespace capsa::net
