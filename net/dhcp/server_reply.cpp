#include <algorithm>
#include <net/dhcp/server.hpp>
#include <net/packet/wire.hpp>
#include <string_view>
#include <utility>

namespace capsa::net::dhcp {
namespace {

using Data = std::vector<std::byte>;

Data number(std::uint32_t value, std::size_t size) {
  Data data(4);
  wire::store32(data, 0, value);
  data.erase(data.begin(), data.begin() + static_cast<std::ptrdiff_t>(4 - size));
  return data;
}

Data addresses(std::span<const IpAddress> all) {
  Data data;
  for (const IpAddress& address : all) {
    if (!address.is_v4() || data.size() + 4 > 255) continue;
    const auto bytes = std::as_bytes(address.bytes());
    data.insert(data.end(), bytes.begin(), bytes.end());
  }
  return data;
}

Data text(std::string_view value) {
  const auto bytes = std::as_bytes(std::span(value));
  return {bytes.begin(), bytes.end()};
}

void put(Message& message, Option option, Data data) {
  message.options[static_cast<std::uint8_t>(option)] = std::move(data);
}

/// Whether the client would make use of it; one that does not say what it wants gets all.
bool wants(const Message& request, Option option) {
  const auto* list = request.find(Option::ParameterList);
  return list == nullptr ||
         std::find(list->begin(), list->end(), static_cast<std::byte>(option)) != list->end();
}

std::size_t max_size(const Message& request) {
  const auto* data = request.find(Option::MaxMessageSize);
  if (data == nullptr || data->size() != 2) return kLeastMax;
  // It counts the IP and UDP headers too (RFC 2132, 9.10). Never more than one Ethernet frame.
  return std::clamp<std::size_t>(wire::load16(*data, 0), kLeastMax + 28, 1500) - 28;
}

}  // namespace

Message Server::begin_reply(const Message& request, MessageType type) const {
  Message reply;
  reply.op = kBootReply;
  reply.transaction = request.transaction;
  reply.flags = request.flags & kBroadcastFlag;
  reply.hardware = request.hardware;
  put(reply, Option::MessageType, number(static_cast<std::uint32_t>(type), 1));
  put(reply, Option::ServerId, addresses({&options_.server, 1}));
  // RFC 6842: a client tells its own replies from others by it.
  const auto* id = request.find(Option::ClientId);
  if (id != nullptr && id->size() >= 2 && id->size() <= 255) put(reply, Option::ClientId, *id);
  return reply;
}

void Server::add_configuration(const Message& request, Message& reply) const {
  // What no network works without is given to those too that do not ask for it.
  const IpAddress mask = options_.network.mask();
  put(reply, Option::SubnetMask, addresses({&mask, 1}));
  if (options_.router) put(reply, Option::Router, addresses({&*options_.router, 1}));
  if (Data dns = addresses(options_.dns); !dns.empty())
    put(reply, Option::DnsServer, std::move(dns));
  const IpAddress broadcast = options_.network.last();
  if (wants(request, Option::Broadcast)) put(reply, Option::Broadcast, addresses({&broadcast, 1}));
  if (!options_.domain.empty() && wants(request, Option::DomainName))
    put(reply, Option::DomainName, text(options_.domain));
  if (options_.mtu != 0 && wants(request, Option::Mtu))
    put(reply, Option::Mtu, number(options_.mtu, 2));
  const auto hostname = hostnames_.find(request.hardware);
  if (hostname != hostnames_.end() && wants(request, Option::HostName))
    put(reply, Option::HostName, text(hostname->second));
}

std::optional<ServerReply> Server::offer(const Message& request, const IpAddress& address) {
  ++stats_.offers;
  Message reply = begin_reply(request, MessageType::Offer);
  reply.your = address;
  const auto seconds = static_cast<std::uint32_t>(options_.lease_time.count());
  put(reply, Option::LeaseTime, number(seconds, 4));
  add_configuration(request, reply);
  return finish(request, reply);
}

std::optional<ServerReply> Server::ack(const Message& request, const IpAddress& address) {
  ++stats_.acks;
  Message reply = begin_reply(request, MessageType::Ack);
  reply.client = request.client;
  reply.your = address;
  const auto seconds = static_cast<std::uint32_t>(options_.lease_time.count());
  put(reply, Option::LeaseTime, number(seconds, 4));
  // RFC 2131, 4.4.5: the defaults, said for clients that do not know them.
  put(reply, Option::RenewalTime, number(seconds / 2, 4));
  put(reply, Option::RebindingTime, number(seconds - seconds / 8, 4));
  add_configuration(request, reply);
  return finish(request, reply);
}

std::optional<ServerReply> Server::nak(const Message& request) {
  ++stats_.naks;
  const Message reply = begin_reply(request, MessageType::Nak);
  // RFC 2131, 4.1: to all, as the client may have no address that is right.
  return ServerReply{encode(reply, max_size(request)), MacAddress::broadcast(),
                     IpAddress::v4(0xffff'ffff)};
}

/// RFC 2131, 4.1: to the address that the client has, or to all where it asks for that, or to the
/// address that it is about to get.
ServerReply Server::finish(const Message& request, const Message& reply) const {
  ServerReply out{encode(reply, max_size(request)), request.hardware, reply.your};
  if (!request.client.is_unspecified()) {
    out.address = request.client;
  } else if ((request.flags & kBroadcastFlag) != 0) {
    out.mac = MacAddress::broadcast();
    out.address = IpAddress::v4(0xffff'ffff);
  }
  return out;
}

}  // namespace capsa::net::dhcp
