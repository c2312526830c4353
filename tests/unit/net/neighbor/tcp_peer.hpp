#pragma once

#include <net/dns/tcp_framing.hpp>
#include <net/neighbor/gateway.hpp>
#include <net/packet/wire.hpp>
#include <string_view>
#include <tests/unit/net/dns/wire.hpp>
#include <tests/unit/net/neighbor/frames.hpp>
#include <utility>
#include <vector>

namespace capsa::net::neighbor::test {

/// A gateway with a DNS stub that knows "web" by itself and asks for all other names.
struct TcpLab : dns::StubHost {
  TcpLab() { stub.names().add("web", {ip("10.0.2.20")}).value(); }

  // -- dns::StubHost
  bool judge(const dns::Client& client, std::string_view) override {
    clients.push_back(client);
    return true;
  }
  void resolved(const dns::Client&, const dns::Resolved&) override {}
  void private_answer(const dns::Client&, std::string_view,
                      const std::vector<IpAddress>&) override {}
  void reply(const dns::Client& client, std::span<const std::byte> message) override {
    gateway.dns_reply(client, message, now, output);
  }
  void ask(const dns::UpstreamQuery& query) override { asked.push_back(query); }
  void forget(std::uint64_t) override {}

  void answer_upstream(const dns::UpstreamQuery& query, std::string_view name) {
    stub.on_upstream(query.key,
                     dns::test::Wire()
                         .header(dns::test::u16_at(query.message, 0), 0x8180, 1, 1)
                         .question(name, 1)
                         .address(name, "192.0.3.1")
                         .out,
                     now);
  }
  /// Any bytes, as if the stub had said them to who asked last.
  void answer(const Bytes& message) { gateway.dns_reply(clients.back(), message, now, output); }
  void wait(Gateway::Time::duration time) {
    now += time;
    gateway.on_deadline(now, output);
  }
  std::vector<FrameBytes> take() { return std::exchange(frames, {}); }

  std::uint32_t isn = 1000;
  std::vector<dns::Client> clients;
  std::vector<dns::UpstreamQuery> asked;
  std::vector<FrameBytes> frames;
  /// Router advertisements come by it as well.
  Gateway::Output output = [this](FrameBytes frame) {
    if (packet_of(frame).is_tcp()) frames.push_back(std::move(frame));
  };
  Gateway::Time now{std::chrono::hours(1)};
  dns::DnsStub stub{*this, dns::LocalNames::create("").value()};
  Gateway gateway{{kGateway,
                   ip("10.0.2.2"),
                   router(),
                   ip("fd00:2::2"),
                   {.mtu = 1500, .random_isn = [this] { return isn; }}},
                  nullptr,
                  &stub};
};

/// A guest's end of a connection, as one writes it by hand: it sends what it is told to.
class TcpPeer {
 public:
  static constexpr std::uint8_t kAck = tcp_flag::kAck;

  explicit TcpPeer(TcpLab& lab, std::uint16_t from_port = 5000) : port(from_port), lab_(lab) {}

  FrameBytes segment(std::uint8_t flags, std::uint32_t at, const Bytes& payload = {}) const {
    TcpFields tcp{port, 53, at, 0, flags, window};
    if ((flags & kAck) != 0) tcp.acknowledgment = ack;
    return build_tcp({kGateway, mac}, {from, to}, tcp, payload);
  }
  /// What comes back.
  std::vector<FrameBytes> send_at(std::uint32_t at, std::uint8_t flags, const Bytes& payload = {}) {
    lab_.take();
    BOOST_TEST(lab_.gateway.on_frame(segment(flags, at, payload), {}, lab_.now, lab_.output));
    return lab_.take();
  }
  std::vector<FrameBytes> send(std::uint8_t flags, const Bytes& payload = {}) {
    auto out = send_at(seq, flags, payload);
    seq += static_cast<std::uint32_t>(payload.size()) + ((flags & tcp_flag::kFin) != 0 ? 1 : 0);
    return out;
  }
  /// The handshake.
  void connect() {
    const auto back = send_at(seq, tcp_flag::kSyn);
    BOOST_REQUIRE(back.size() == 1U);
    const Packet packet = packet_of(back[0]);
    BOOST_REQUIRE((packet.tcp_flags == (tcp_flag::kSyn | kAck)));
    ++seq;
    BOOST_REQUIRE(packet.tcp_acknowledgment == seq);
    ack = packet.tcp_sequence + 1;
    BOOST_TEST(send(kAck).empty());
  }
  /// Reads frames in order: the data that continue the stream.
  Bytes read(const std::vector<FrameBytes>& frames) {
    Bytes out;
    for (const auto& frame : frames) {
      const Packet packet = packet_of(frame);
      BOOST_TEST(transport_checksum_ok(frame, packet));
      BOOST_TEST(packet.source_mac == kGateway);
      BOOST_TEST(packet.destination_mac == mac);
      BOOST_TEST((packet.from == to && packet.to == from));
      BOOST_TEST((packet.from_port == 53 && packet.to_port == port));
      if (packet.tcp_sequence != ack) continue;
      const auto payload = packet.payload_of(frame);
      out.insert(out.end(), payload.begin(), payload.end());
      ack += static_cast<std::uint32_t>(payload.size());
      if ((packet.tcp_flags & tcp_flag::kFin) != 0) {
        ++ack;
        has_fin = true;
      }
    }
    return out;
  }

  std::uint32_t seq = 77;
  std::uint32_t ack = 0;
  std::uint16_t port;
  std::uint16_t window = 64000;
  MacAddress mac = kGuest;
  IpAddress from = ip("10.0.2.15");
  IpAddress to = ip("10.0.2.2");
  bool has_fin = false;

 private:
  TcpLab& lab_;
};

inline std::uint8_t flags_of(const FrameBytes& frame) {
  return packet_of(frame).tcp_flags;
}
inline bool is_reset(const std::vector<FrameBytes>& frames) {
  return frames.size() == 1 && (flags_of(frames[0]) & tcp_flag::kRst) != 0;
}
/// One segment that says only where we are.
inline bool is_bare_ack(const std::vector<FrameBytes>& frames, std::uint32_t acknowledgment) {
  if (frames.size() != 1) return false;
  const Packet packet = packet_of(frames[0]);
  return packet.tcp_flags == tcp_flag::kAck && packet.payload_of(frames[0]).empty() &&
         packet.tcp_acknowledgment == acknowledgment;
}

inline Bytes framed(const Bytes& message) {
  return dns::frame_for_tcp(message);
}
inline Bytes operator+(Bytes a, const Bytes& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}
/// The IDs of the replies in a stream, in order; they are all well-formed.
inline std::vector<unsigned> ids_in(const Bytes& stream) {
  std::vector<unsigned> out;
  dns::TcpUnframer unframer;
  std::span<const std::byte> rest(stream);
  while (const auto message = unframer.next(rest)) {
    const auto response = dns::parse_response(*message);
    BOOST_REQUIRE(response);
    out.push_back(response->id);
  }
  return out;
}
inline Bytes pattern(std::size_t size) {
  Bytes out(size);
  for (std::size_t i = 0; i < size; ++i)
    out[i] = static_cast<std::byte>(i * 7 + i / 251);
  return out;
}

}  // namespace capsa::net::neighbor::test
