#pragma once

#include <net/policy/port_guard.hpp>
#include <string>
#include <tests/unit/net/packet/frame_kit.hpp>
#include <tests/unit/net/policy/hello_kit.hpp>

namespace capsa::net::test {

using namespace std::chrono_literals;

inline const IpAddress kVm = ip("10.0.2.15");
inline const IpAddress kGateway = ip("10.0.2.2");
inline const IpAddress kSite = ip("198.51.100.1");

inline GuardConfig guard_config(NetworkPolicy policy) {
  GuardConfig out;
  out.identity.mac = kGuestMac;
  out.identity.ipv4 = kVm;
  out.identity.ipv6_networks = {IpNetwork::parse("fd00::/64").value()};
  out.network.gateway = {kGateway, ip("fe80::2"), ip("fd00::2")};
  out.policy = std::move(policy);
  return out;
}

/// A guard, a clock, and a guest that speaks one TCP connection at a time.
struct Bench {
  PortGuard guard;
  TimePoint now{1000s};
  std::uint16_t port = 40000;
  std::uint32_t sequence = 100;
  Decision last;

  explicit Bench(NetworkPolicy policy) : guard(guard_config(std::move(policy))) {}
  explicit Bench(GuardConfig config) : guard(std::move(config)) {}

  /// What became of a frame: "forward", "drop REASON", "reset REASON", "prohibited REASON".
  std::string told(Decision decision) {
    last = std::move(decision);
    if (last.forwards()) return "forward";
    if (last.to_guest.empty()) return "drop " + std::string(to_string(last.reason));
    const Packet answer = parsed(last.to_guest);
    return (answer.is_tcp() ? "reset " : "prohibited ") + std::string(to_string(last.reason));
  }
  std::string send(const FrameBytes& frame) { return told(guard.on_guest_frame(frame, now)); }
  std::string get(const FrameBytes& frame) { return told(guard.on_frame_to_guest(frame, now)); }

  std::string syn(const IpAddress& to, std::uint16_t to_port) {
    ++port;
    sequence = 100;
    return send(build_tcp(kOut, {kVm, to}, {port, to_port, sequence++, 0, tcp_flag::kSyn}));
  }
  std::string syn_ack(const IpAddress& from, std::uint16_t from_port) {
    return get(build_tcp(kIn, {from, kVm},
                         {from_port, port, 900, sequence, tcp_flag::kSyn | tcp_flag::kAck}));
  }
  std::string say(const IpAddress& to, std::uint16_t to_port, std::string_view text) {
    const auto out = say_at(to, to_port, sequence, text);
    sequence += static_cast<std::uint32_t>(text.size());
    return out;
  }
  std::string say_at(const IpAddress& to, std::uint16_t to_port, std::uint32_t at,
                     std::string_view text, std::uint8_t flags = tcp_flag::kAck) {
    return send(build_tcp(kOut, {kVm, to}, {port, to_port, at, 901, flags}, bytes(text)));
  }
  std::string hear(const IpAddress& from, std::uint16_t from_port) {
    return get(build_tcp(kIn, {from, kVm}, {from_port, port, 901, sequence, tcp_flag::kAck}));
  }
  /// A connection that says this first; how far it came.
  std::string talk(const IpAddress& to, std::uint16_t to_port, std::string_view first) {
    const auto opened = syn(to, to_port);
    if (opened != "forward") return "syn: " + opened;
    syn_ack(to, to_port);
    return say(to, to_port, first);
  }
  std::string udp(const IpAddress& to, std::uint16_t to_port, std::string_view text = "x") {
    return send(build_udp(kOut, {kVm, to}, 5000, to_port, bytes(text)));
  }
  void pin(std::string_view name, const IpAddress& address, std::chrono::seconds ttl = 60s) {
    const std::vector<IpAddress> one{address};
    guard.dns().pin(name, one, ttl, now);
  }
  std::string why() {
    const auto events = guard.denials().take();
    return events.empty() ? "" : events.back().reason;
  }
};

}  // namespace capsa::net::test
