// Frames of a hostile guest in front of libslirp: whatever passes is what the sanitizer promises.
#include <cstdlib>
#include <net/nat/sanitizer.hpp>
#include <net/packet/wire.hpp>
#include <tests/support/fuzz_input.hpp>
#include <vector>

namespace {

using namespace capsa;            // NOLINT: this is a program
using namespace capsa::net;       // NOLINT
using namespace capsa::net::nat;  // NOLINT

void require(bool condition) {
  if (!condition) std::abort();
}

bool is_host(const IpAddress& address) {
  return address.is_loopback() || address.is_unspecified() || address.is_link_local() ||
         address.is_multicast() || (address.is_v4() && address.to_v4() >> 24 == 0);
}

}  // namespace

/// The first byte says what is configured, the second what a frame starts with, so that a fuzzer
/// need not find the addresses; the rest is the frame.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  capsa::test::FuzzInput input(data, size);
  const auto options = input.take<std::uint8_t>();
  NatConfig config;
  config.host_loopback = (options & 1) != 0;
  if ((options & 2) != 0) {
    config.prefix6 = IpNetwork::parse("fd00:1::/64").value();
    config.gateway6 = IpAddress::parse("fd00:1::2").value();
  }
  Sanitizer sanitizer(config);
  sanitizer.set_host_addresses({IpAddress::v4(192, 0, 2, 1)});
  const auto bytes = input.bytes(kMaxFrame);
  std::vector<std::byte> frame(bytes.begin(), bytes.end());
  // The checksum of the IPv4 header is nothing a fuzzer should have to guess.
  if ((options & 4) != 0 && frame.size() >= 34) {
    const std::size_t length = std::min<std::size_t>(
        (std::to_integer<std::size_t>(frame[14]) & 15) * 4, frame.size() - 14);
    if (length >= 20) {
      frame[24] = frame[25] = std::byte{0};
      std::uint32_t sum = 0;
      for (std::size_t at = 0; at + 1 < length; at += 2)
        sum += wire::load16(frame, 14 + at);
      while (sum >> 16 != 0)
        sum = (sum & 0xffff) + (sum >> 16);
      wire::store16(frame, 24, static_cast<std::uint16_t>(~sum));
    }
  }
  Packet packet;
  if (sanitizer.check_frame(frame, packet) != Verdict::Pass) return 0;
  require(packet.end <= frame.size() && packet.payload <= packet.end);
  require(packet.is_tcp() || packet.is_udp() || packet.is_echo_request());
  require(!packet.fragment && !packet.has_ip_options);
  require(config.subnet.contains(packet.from) ||
          (config.prefix6 && config.prefix6->contains(packet.from)));
  if (sanitizer.check_destination(packet) == Verdict::Pass) {
    require(!is_host(packet.to) && packet.to != IpAddress::v4(192, 0, 2, 1));
    if (const auto inner = packet.to.embedded_v4())
      require(!is_host(*inner) && !config.subnet.contains(*inner));
    if (packet.to == config.gateway) require(config.host_loopback);
  }
  const bool right = transport_checksum_ok(frame, packet);
  Sanitizer::clean(frame, packet);
  if (packet.is_tcp()) {
    require((packet.tcp_flags & tcp_flag::kUrg) == 0);
    require((wire::load8(frame, packet.transport + 13) & tcp_flag::kUrg) == 0);
    require(wire::load16(frame, packet.transport + 18) == 0);
    if (right) require(transport_checksum_ok(frame, packet));
  }
  return 0;
}
