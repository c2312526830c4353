// DHCP from guests that send what they like. Operations of one byte with their operands: a guest, a
// kind of message, and the rest of it; or any bytes at all.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>
#include <net/dhcp/server.hpp>
#include <tests/support/fuzz_input.hpp>
#include <vector>

namespace {

using namespace capsa::net;
using capsa::IpAddress;
using capsa::test::FuzzInput;

void require(bool holds) {
  if (!holds) std::abort();
}

constexpr std::uint32_t kNetwork = 0x0a000200;
constexpr unsigned kFirst = 15, kLast = 20;

dhcp::ServerOptions options() {
  dhcp::ServerOptions out;
  out.server = IpAddress::v4(kNetwork + 2);
  out.network = capsa::IpNetwork::around(out.server, 24);
  out.first = IpAddress::v4(kNetwork + kFirst);
  out.last = IpAddress::v4(kNetwork + kLast);
  out.router = out.server;
  out.dns = {out.server};
  out.domain = "capsa.internal";
  return out;
}

MacAddress mac(unsigned number) {
  return MacAddress({0x52, 0x54, 0, 0, 0, static_cast<std::uint8_t>(number)});
}

void check(const dhcp::Server& server, const MacAddress& from, const dhcp::ServerReply& reply) {
  const auto message = dhcp::parse_message(reply.payload);
  require(message && message->op == dhcp::kBootReply && message->hardware == from);
  require(reply.payload.size() >= dhcp::kLeastSize && reply.payload.size() <= 1472);
  require(reply.mac == from || reply.mac.is_broadcast());
  const auto type = message->type();
  require(type == dhcp::MessageType::Offer || type == dhcp::MessageType::Ack ||
          type == dhcp::MessageType::Nak);
  if (message->your.is_unspecified()) return;
  require(server.leases().address_of(from) == message->your);
  const std::uint32_t host = message->your.to_v4() - kNetwork;
  require((host >= kFirst && host <= kLast) || host == 10);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FuzzInput input(data, size);
  auto server = dhcp::Server::create(options()).value();
  server.reserve(mac(0), IpAddress::v4(kNetwork + 10), "web").value();
  dhcp::Server::Time now{};
  while (!input.empty()) {
    const auto operation = input.take<std::uint8_t>();
    const MacAddress from = mac(operation >> 4);
    std::vector<std::byte> payload;
    switch (operation & 3) {
      case 0: {  // well-formed but for what the guest chooses
        dhcp::Message message;
        message.hardware = from;
        message.flags = input.take<std::uint16_t>();
        message.options[53] = {input.take<std::byte>()};
        const auto flags = input.take<std::uint8_t>();
        const auto host = IpAddress::v4(kNetwork + (flags & 31));
        if ((flags & 32) != 0) message.client = host;
        const auto bytes = std::as_bytes(host.bytes());
        if ((flags & 64) != 0) message.options[50].assign(bytes.begin(), bytes.end());
        const auto id = std::as_bytes(std::span(&data[0], std::min<std::size_t>(size, 4)));
        if ((flags & 128) != 0) message.options[61].assign(id.begin(), id.end());
        payload = dhcp::encode(message, 1472);
        break;
      }
      case 1: {  // with options as the guest writes them
        dhcp::Message message;
        message.hardware = from;
        payload = dhcp::encode(message, 1472);
        payload.resize(240);
        const auto raw = input.bytes(input.take<std::uint8_t>());
        payload.insert(payload.end(), raw.begin(), raw.end());
        const auto file = input.bytes(64);
        std::copy(file.begin(), file.end(), payload.begin() + 44);
        break;
      }
      case 2: {
        const auto raw = input.bytes(input.take<std::uint16_t>());
        payload.assign(raw.begin(), raw.end());
        break;
      }
      case 3:
        now += std::chrono::seconds(input.take<std::uint16_t>());
        continue;
    }
    if (const auto reply = server.on_message(from, payload, now)) check(server, from, *reply);
    // Nobody has what another guest has.
    std::map<IpAddress, unsigned> owners;
    for (unsigned i = 0; i < 16; ++i) {
      const auto address = server.leases().address_of(mac(i));
      require(!address || owners.emplace(*address, i).second);
    }
    require(owners.size() <= kLast - kFirst + 2);
  }
  return 0;
}
