#include <algorithm>
#include <net/dhcp/server.hpp>
#include <utility>

namespace capsa::net::dhcp {
namespace {

error wrong(std::string what) {
  return {ErrorCode::InvalidConfig, std::move(what)};
}

/// One label (RFC 1123, 2.1).
bool is_hostname(const std::string& name) {
  if (name.empty() || name.size() > 63 || name.front() == '-' || name.back() == '-') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  });
}

bool is_host_of(const IpNetwork& network, const IpAddress& address) {
  return network.contains(address) && address != network.address() && address != network.last();
}

}  // namespace

result<Server> Server::create(ServerOptions options) {
  if (!options.network.address().is_v4()) return wrong("DHCP is for IPv4 networks");
  for (const IpAddress& address : {options.server, options.first, options.last}) {
    if (!is_host_of(options.network, address))
      return wrong(address.to_string() + " is not a host of " + options.network.to_string());
  }
  if (options.last < options.first)
    return wrong("the range ends at " + options.last.to_string() + ", before it begins");
  if (options.domain.size() > 255) return wrong("the domain is longer than 255 bytes");
  if (options.lease_time < std::chrono::minutes(1)) return wrong("a lease is at least a minute");
  return Server(std::move(options));
}

Server::Server(ServerOptions options)
    : options_(std::move(options)), leases_(options_.first, options_.last, options_.server) {}

result<void> Server::reserve(const MacAddress& mac, const IpAddress& address,
                             std::string hostname) {
  if (!is_host_of(options_.network, address))
    return wrong(address.to_string() + " is not a host of " + options_.network.to_string());
  if (!hostname.empty() && !is_hostname(hostname))
    return wrong("\"" + hostname + "\" is no host name");
  if (auto reserved = leases_.reserve(mac, address); !reserved) return reserved;
  if (!hostname.empty()) hostnames_[mac] = std::move(hostname);
  return {};
}

result<void> Server::set_hostname(const MacAddress& mac, std::string hostname) {
  if (!is_hostname(hostname)) return wrong("\"" + hostname + "\" is no host name");
  hostnames_[mac] = std::move(hostname);
  return {};
}

void Server::forget(const MacAddress& mac) {
  leases_.unreserve(mac);
  hostnames_.erase(mac);
}

std::optional<ServerReply> Server::on_message(const MacAddress& source,
                                              std::span<const std::byte> payload, Time now) {
  const auto request = parse_message(payload);
  const auto type = request ? request->type() : std::nullopt;
  if (!type || request->op != kBootRequest) {
    ++stats_.malformed;
    return std::nullopt;
  }
  // Else one guest could take, or give back, the addresses of all others.
  if (request->hardware != source || source.is_multicast()) {
    ++stats_.spoofed;
    return std::nullopt;
  }
  const auto server = request->address(Option::ServerId);
  const bool ours = !server || *server == options_.server;
  if (!request->relay.is_unspecified() || (!ours && *type != MessageType::Request)) {
    ++stats_.ignored;
    return std::nullopt;
  }
  switch (*type) {
    case MessageType::Discover:
      return on_discover(*request, now);
    case MessageType::Request:
      return on_request(*request, now);
    case MessageType::Decline:
      if (const auto address = request->address(Option::RequestedAddress))
        leases_.decline(source, *address, now, now + options_.decline_time);
      return std::nullopt;
    case MessageType::Release:
      leases_.end(source, request->client, now);
      return std::nullopt;
    case MessageType::Inform: {
      // It has its address from elsewhere (RFC 2131, 4.3.5), but must be of this network to hear
      // us.
      if (!is_host_of(options_.network, request->client)) break;
      Message reply = begin_reply(*request, MessageType::Ack);
      add_configuration(*request, reply);
      ++stats_.acks;
      return finish(*request, reply);
    }
    default:
      break;
  }
  ++stats_.ignored;
  return std::nullopt;
}

std::optional<ServerReply> Server::on_discover(const Message& request, Time now) {
  const auto address = leases_.allocate(request.hardware, request.address(Option::RequestedAddress),
                                        now, now + options_.offer_time);
  if (!address) {
    ++stats_.exhausted;
    return std::nullopt;
  }
  return offer(request, *address);
}

/// RFC 2131, 4.3.2: which state the client is in follows from what it fills in.
std::optional<ServerReply> Server::on_request(const Message& request, Time now) {
  const auto server = request.address(Option::ServerId);
  const auto wanted = request.address(Option::RequestedAddress);
  if (server && *server != options_.server) {
    // SELECTING another server: what we offered is free again.
    if (const auto offered = leases_.address_of(request.hardware))
      leases_.end(request.hardware, *offered, now);
    ++stats_.ignored;
    return std::nullopt;
  }
  // SELECTING and INIT-REBOOT ask for an address, RENEWING and REBINDING have one. A guest that
  // comes from before this server began is taken at its word where nobody else has the address.
  const IpAddress address = request.client.is_unspecified() && wanted ? *wanted : request.client;
  if (address.is_unspecified()) {
    ++stats_.ignored;
    return std::nullopt;
  }
  if (!leases_.claim(request.hardware, address, now, now + options_.lease_time))
    return nak(request);
  return ack(request, address);
}

}  // namespace capsa::net::dhcp
