// Frames of guests to a whole gateway: its services, and DNS over TCP in particular. Operations of
// one byte with their operands: any frame at all; a TCP segment near what its connection expects;
// time; what the stub's upstreams say; guests that leave.
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <map>
#include <net/dns/tcp_framing.hpp>
#include <net/neighbor/gateway.hpp>
#include <optional>
#include <tests/support/fuzz_input.hpp>
#include <variant>
#include <vector>

namespace {

using namespace capsa::net;
using capsa::IpAddress;
using capsa::test::FuzzInput;
using neighbor::DnsTcp;
using neighbor::Gateway;
using Bytes = std::vector<std::byte>;

void require(bool holds) {
  if (!holds) std::abort();
}

const MacAddress kMac({0x02, 0xca, 10, 0, 2, 2});
const IpAddress kOurs4 = IpAddress::v4(10, 0, 2, 2);
const IpAddress kOurs6 = IpAddress::v6({0xfdca, 0x70ca, 0, 0, 0, 0, 0, 2});
constexpr std::size_t kMtu = 1500;
constexpr unsigned kGuests = 4;

MacAddress mac_of(unsigned guest) {
  return MacAddress({0x52, 0x54, 0, 0, 0, static_cast<std::uint8_t>(guest % kGuests)});
}
IpAddress address_of(unsigned guest, bool v6) {
  const auto last = static_cast<std::uint16_t>(0x15 + guest % kGuests);
  return v6 ? IpAddress::v6({0xfdca, 0x70ca, 0, 0, 0, 0, 0, last})
            : IpAddress::v4(10, 0, 2, static_cast<std::uint8_t>(last));
}

neighbor::GatewayOptions options() {
  neighbor::GatewayOptions out;
  out.mac = kMac;
  out.address = kOurs4;
  neighbor::RouterFields router;
  router.link_local = IpAddress::v6({0xfe80, 0, 0, 0, 0, 0, 0, 2});
  router.prefix = capsa::IpNetwork::around(kOurs6, 64);
  router.resolvers = {kOurs6};
  out.ipv6 = std::move(router);
  out.ipv6_address = kOurs6;
  out.dns_tcp.mtu = kMtu;
  out.dns_tcp.random_isn = [isn = 0xfffff000U]() mutable { return isn += 0x700; };
  return out;
}

dhcp::ServerOptions dhcp_options() {
  dhcp::ServerOptions out;
  out.server = kOurs4;
  out.network = capsa::IpNetwork::around(kOurs4, 24);
  out.first = IpAddress::v4(10, 0, 2, 0x15);
  out.last = IpAddress::v4(10, 0, 2, 0x20);
  return out;
}

dns::LocalNames names() {
  auto out = dns::LocalNames::create("capsa.internal").value();
  out.add("web", {IpAddress::v4(10, 0, 2, 15)}).value();
  return out;
}

/// What a guest's stack would know of its connection.
struct Flow {
  std::uint32_t next = 0;    ///< to be sent
  std::uint32_t theirs = 0;  ///< to be acknowledged
};

struct World final : dns::StubHost {
  bool judge(const dns::Client& client, std::string_view) override {
    last_client = client;
    return true;
  }
  void resolved(const dns::Client&, const dns::Resolved&) override {}
  void private_answer(const dns::Client&, std::string_view,
                      const std::vector<IpAddress>&) override {}
  void reply(const dns::Client& client, std::span<const std::byte> message) override {
    gateway.dns_reply(client, message, now, output);
  }
  void ask(const dns::UpstreamQuery& query) override { asked = query; }
  void forget(std::uint64_t) override {}

  void sent(const FrameBytes& frame) {
    ++frames;
    const auto parsed = parse(frame);
    const auto* packet = std::get_if<Packet>(&parsed);
    require(packet != nullptr && packet->source_mac == kMac && packet->end == frame.size());
    require(transport_checksum_ok(frame, *packet));
    if (!packet->is_tcp()) return;
    require(packet->from_port == DnsTcp::kPort && frame.size() <= kEthernetHeader + kMtu);
    Flow& flow = flows[{packet->destination_mac, packet->to, packet->to_port}];
    auto length = static_cast<std::uint32_t>(packet->payload_of(frame).size());
    if ((packet->tcp_flags & (tcp_flag::kSyn | tcp_flag::kFin)) != 0) ++length;
    flow.theirs = packet->tcp_sequence + length;
    if ((packet->tcp_flags & tcp_flag::kAck) != 0) flow.next = packet->tcp_acknowledgment;
  }
  void give(std::span<const std::byte> frame, const FrameMeta& meta = {}) {
    frames = 0;
    gateway.on_frame(frame, meta, now, output);
    // No guest makes us send much more than it sent.
    require(frames <= neighbor::TcpConnection::kMaxInFlight + 3);
    require(gateway.dns_tcp()->connections() <= kGuests * DnsTcp::kMaxPerOwner + strangers);
  }
  void elapse(std::chrono::milliseconds time) {
    now += time;
    stub.on_deadline(now);
    gateway.on_deadline(now, output);
    require(!gateway.next_deadline() || *gateway.next_deadline() > now);
  }

  std::map<std::tuple<MacAddress, IpAddress, std::uint16_t>, Flow> flows;
  std::optional<dns::Client> last_client;
  std::optional<dns::UpstreamQuery> asked;
  std::size_t frames = 0;
  std::size_t strangers = 0;
  Gateway::Time now{std::chrono::hours(1)};
  Gateway::Output output = [this](const FrameBytes& frame) { sent(frame); };
  dns::DnsStub stub{*this, names(), {.random_id = [] { return std::uint16_t{0x1234}; }}};
  dhcp::Server dhcp = dhcp::Server::create(dhcp_options()).value();
  Gateway gateway{options(), &dhcp, &stub};
};

Bytes question(std::byte id, bool local) {
  Bytes out(12);
  out[1] = id;
  out[2] = std::byte{1};
  out[5] = std::byte{1};
  for (const char c : local ? std::string_view("\3web") : std::string_view("\1a\4test"))
    out.push_back(static_cast<std::byte>(c));
  for (const int byte : {0, 0, 1, 0, 1})
    out.push_back(static_cast<std::byte>(byte));
  return out;
}

/// Guest and family, port, flags, what it is off from the right numbers, window, and the data.
void segment(World& world, FuzzInput& input) {
  const auto who = input.take<std::uint8_t>();
  const bool v6 = (who & 0x80) != 0;
  const auto port = static_cast<std::uint16_t>(who >> 3 & 15);
  const MacAddress mac = mac_of(who);
  const IpAddress from = address_of(who, v6);
  const auto flags = input.take<std::uint8_t>();
  const auto off = input.take<std::int16_t>();
  const auto off_ack = input.take<std::int16_t>();
  const auto window = input.take<std::uint16_t>();
  const auto shape = input.take<std::uint8_t>();
  const auto count = input.take<std::uint8_t>();
  Bytes payload;
  if ((shape & 3) == 0) {
    const auto raw = input.bytes(count);
    payload.assign(raw.begin(), raw.end());
  } else {
    for (unsigned i = 0; i < count; ++i) {
      const auto framed = dns::frame_for_tcp(question(static_cast<std::byte>(i), (shape & 3) == 1));
      payload.insert(payload.end(), framed.begin(), framed.end());
    }
  }
  Flow& flow = world.flows[{mac, from, port}];
  const TcpFields tcp{port,
                      DnsTcp::kPort,
                      flow.next + static_cast<std::uint32_t>(off),
                      flow.theirs + static_cast<std::uint32_t>(off_ack),
                      flags,
                      window};
  world.give(build_tcp({kMac, mac}, {from, v6 ? kOurs6 : kOurs4}, tcp, payload));
}

/// Any transport in a right packet, with its checksum to be made or not.
void packet(World& world, FuzzInput& input) {
  const auto who = input.take<std::uint8_t>();
  const bool v6 = (who & 0x80) != 0;
  const auto protocol = input.take<std::uint8_t>();
  FrameMeta meta;
  meta.needs_checksum = (who & 0x40) != 0;
  const auto transport = input.bytes(input.take<std::uint16_t>() % 2048);
  ++world.strangers;
  world.give(build_ip({kMac, mac_of(who)}, {address_of(who, v6), v6 ? kOurs6 : kOurs4, 255},
                      protocol, transport),
             meta);
}

/// A header and question that fit what was asked, and records as the peer says.
void upstream(World& world, FuzzInput& input) {
  const auto counts = input.take<std::uint8_t>();
  const auto more = input.bytes(input.take<std::uint16_t>());
  if (!world.asked) return;
  Bytes message = world.asked->message;
  if (message.size() > 12 && message[11] == std::byte{1}) message.resize(message.size() - 11);
  if (message.size() < 12) return;
  message[2] = std::byte{0x81};
  message[3] = std::byte{0x80};
  message[7] = static_cast<std::byte>(counts);
  message[11] = std::byte{0};
  message.insert(message.end(), more.begin(), more.end());
  world.stub.on_upstream(world.asked->key, message, world.now);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FuzzInput input(data, size);
  World world;
  while (!input.empty()) {
    switch (input.take<std::uint8_t>() % 8) {
      case 0:
      case 1:
      case 2:
        segment(world, input);
        break;
      case 3: {
        ++world.strangers;
        world.give(input.bytes(input.take<std::uint16_t>()));
        break;
      }
      case 4:
        packet(world, input);
        break;
      case 5:
        world.elapse(std::chrono::milliseconds(input.take<std::uint16_t>()));
        break;
      case 6:
        upstream(world, input);
        break;
      case 7: {
        const auto what = input.take<std::uint16_t>();
        if ((what & 1) != 0) {
          world.gateway.forget(mac_of(what >> 1));
        } else if (world.last_client) {  // a long answer, whatever it says
          world.gateway.dns_reply(*world.last_client, Bytes(what), world.now, world.output);
        }
        break;
      }
    }
  }
  // All that is under way ends by itself.
  for (int i = 0; i < 64; ++i)
    world.elapse(std::chrono::seconds(5));
  require(world.gateway.dns_tcp()->connections() == 0 && world.stub.under_way() == 0);
  return 0;
}
