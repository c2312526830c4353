#include <boost/test/unit_test.hpp>
#include <tests/unit/net/packet/frame_kit.hpp>

namespace capsa::net::test {

BOOST_AUTO_TEST_SUITE(net_packet_parse)

const IpFields kV4{ip("10.0.2.15"), ip("192.0.2.1")};
const IpFields kV6{ip("fd00::15"), ip("2001:db8::1")};

/// A good frame of each kind.
std::vector<FrameBytes> good_frames() {
  std::vector<FrameBytes> out;
  for (const auto& addresses : {kV4, kV6}) {
    out.push_back(build_udp(kOut, addresses, 1000, 53, bytes("question")));
    out.push_back(build_tcp(kOut, addresses, {1000, 443, 7, 9, tcp_flag::kSyn}, bytes("data")));
    out.push_back(build_icmp(kOut, addresses, addresses.from.is_v4() ? 8 : 128, 0, 0x00110022,
                             bytes("echo")));
  }
  out.push_back(build_arp({MacAddress::broadcast(), kGuestMac},
                          {1, kGuestMac, ip("10.0.2.15"), {}, ip("10.0.2.2")}));
  return out;
}

BOOST_AUTO_TEST_CASE(good_frames_are_read_field_by_field) {
  const Packet tcp = parsed(good_frames()[1]);
  BOOST_TEST((tcp.kind == PacketKind::Ipv4 && tcp.is_tcp() && tcp.is_syn()));
  BOOST_TEST(tcp.source_mac == kGuestMac);
  BOOST_TEST(tcp.destination_mac == kGatewayMac);
  BOOST_TEST(tcp.from == ip("10.0.2.15"));
  BOOST_TEST(tcp.to == ip("192.0.2.1"));
  BOOST_TEST((tcp.from_port == 1000 && tcp.to_port == 443));
  BOOST_TEST((tcp.tcp_sequence == 7 && tcp.tcp_acknowledgment == 9));
  BOOST_TEST((tcp.network == 14 && tcp.transport == 34 && tcp.payload == 54 && tcp.end == 58));
  const Packet echo = parsed(good_frames()[5]);
  BOOST_TEST((echo.kind == PacketKind::Ipv6 && echo.is_echo_request() && echo.icmp_id == 0x11));
  const Packet arp = parsed(good_frames()[6]);
  BOOST_TEST((arp.kind == PacketKind::Arp && arp.arp_operation == 1));
  BOOST_TEST(arp.to == ip("10.0.2.2"));
  BOOST_TEST(arp.arp_sender_mac == kGuestMac);
}

BOOST_AUTO_TEST_CASE(a_frame_cut_at_any_length_is_refused) {
  for (const auto& frame : good_frames()) {
    BOOST_TEST(problem_of(frame) == "");
    for (std::size_t length = 0; length < frame.size(); ++length)
      BOOST_TEST(problem_of(std::span(frame).first(length)) == "truncated");
  }
}

BOOST_AUTO_TEST_CASE(an_ip_length_cut_at_any_place_never_reads_behind_it) {
  for (auto frame : good_frames()) {
    const bool v4 = wire::load16(frame, 12) == kEtherIpv4;
    if (wire::load16(frame, 12) == kEtherArp) continue;
    const std::size_t whole = frame.size() - 14;
    for (std::size_t length = 0; length < whole; ++length) {
      if (v4) {
        wire::store16(frame, 16, static_cast<std::uint16_t>(length));
        fix_ipv4_checksum(frame);
      } else if (length >= 40) {
        wire::store16(frame, 18, static_cast<std::uint16_t>(length - 40));
      } else {
        continue;
      }
      const auto result = parse(frame);
      if (const auto* packet = std::get_if<Packet>(&result)) {
        // What is padding now is no payload: only TCP and ICMP may get shorter so.
        BOOST_TEST(!packet->is_udp());
        BOOST_TEST(packet->end == 14 + length);
        BOOST_TEST((packet->payload <= packet->end && packet->transport <= packet->payload));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(padding_behind_the_packet_is_no_payload) {
  for (auto frame : good_frames()) {
    const Packet before = parsed(frame);
    frame.resize(frame.size() + 20);
    const Packet after = parsed(frame);
    BOOST_TEST(after.end == before.end);
    BOOST_TEST(transport_checksum_ok(frame, after));
  }
}

BOOST_AUTO_TEST_CASE(headers_that_contradict_themselves_are_refused) {
  const auto changed = [](std::size_t which, auto change, bool fix = true) {
    auto frame = good_frames()[which];
    change(frame);
    if (fix && wire::load16(frame, 12) == kEtherIpv4) fix_ipv4_checksum(frame);
    return problem_of(frame);
  };
  using F = FrameBytes&;
  BOOST_TEST(changed(0, [](F f) { wire::store8(f, 14, 0x65); }) == "bad_version");
  BOOST_TEST(changed(
                 0, [](F f) { wire::store8(f, 14, 0x44); }, false) == "bad_length");
  BOOST_TEST(changed(
                 0, [](F f) { wire::store8(f, 22, 1); }, false) == "bad_checksum");
  BOOST_TEST(changed(0, [](F f) { wire::store16(f, 38, 15); }) == "bad_length");
  BOOST_TEST(changed(0, [](F f) { wire::store16(f, 38, 17); }) == "bad_length");
  BOOST_TEST(changed(1, [](F f) { wire::store8(f, 46, 4 << 4); }) == "bad_length");
  BOOST_TEST(changed(1, [](F f) { wire::store8(f, 46, 15 << 4); }) == "bad_length");
  BOOST_TEST(changed(3, [](F f) { wire::store8(f, 14, 0x40); }) == "bad_version");
  BOOST_TEST(changed(6, [](F f) { wire::store16(f, 20, 3); }) == "bad_arp");
  BOOST_TEST(changed(6, [](F f) { wire::store8(f, 18, 8); }) == "bad_arp");
  BOOST_TEST(changed(
                 0, [](F f) { wire::store16(f, 12, 0x8100); }, false) == "tagged");
  BOOST_TEST(changed(
                 0, [](F f) { wire::store16(f, 12, 0x88a8); }, false) == "tagged");
  BOOST_TEST(changed(
                 0, [](F f) { wire::store16(f, 12, 0x88f8); }, false) == "unknown_type");
  BOOST_TEST(changed(
                 0, [](F f) { wire::store16(f, 12, 100); }, false) == "unknown_type");
}

BOOST_AUTO_TEST_CASE(fragments_and_options_are_told) {
  auto first = good_frames()[0];
  wire::store16(first, 20, 0x2000);
  wire::store16(first, 38, 4000);  // the whole datagram's
  fix_ipv4_checksum(first);
  const Packet head = parsed(first);
  BOOST_TEST((head.fragment && head.more_fragments && head.to_port == 53));
  auto later = good_frames()[0];
  wire::store16(later, 20, 0x0005);
  fix_ipv4_checksum(later);
  const Packet tail = parsed(later);
  BOOST_TEST((tail.fragment && tail.fragment_offset == 40 && tail.to_port == 0));
  BOOST_TEST(tail.transport == tail.payload);

  FrameBytes options = good_frames()[0];
  options.insert(options.begin() + 34, 4, std::byte{1});
  wire::store8(options, 14, 0x46);
  wire::store16(options, 16, static_cast<std::uint16_t>(options.size() - 14));
  fix_ipv4_checksum(options);
  BOOST_TEST((parsed(options).has_ip_options && parsed(options).to_port == 53));
}

FrameBytes with_extensions(std::span<const std::uint8_t> kinds) {
  FrameBytes frame = good_frames()[3];
  for (std::size_t i = kinds.size(); i-- > 0;) {
    FrameBytes header(8);
    wire::store8(header, 0, wire::load8(frame, 20));
    if (kinds[i] != 44) wire::store8(header, 1, 0);
    frame.insert(frame.begin() + 54, header.begin(), header.end());
    wire::store8(frame, 20, kinds[i]);
  }
  wire::store16(frame, 18, static_cast<std::uint16_t>(frame.size() - 54));
  return frame;
}

BOOST_AUTO_TEST_CASE(extension_headers_are_walked_so_far_and_no_further) {
  const std::uint8_t some[] = {0, 60, 43};
  const Packet packet = parsed(with_extensions(some));
  BOOST_TEST((packet.is_udp() && packet.to_port == 53 && packet.has_ip_options));
  const std::uint8_t atomic[] = {44};
  BOOST_TEST(
      (parsed(with_extensions(atomic)).fragment && parsed(with_extensions(atomic)).is_udp()));
  const std::uint8_t many[] = {60, 60, 60, 60, 60, 60, 60};
  BOOST_TEST(problem_of(with_extensions(many)) == "too_many");
  const std::uint8_t twice[] = {44, 44};
  BOOST_TEST(problem_of(with_extensions(twice)) == "too_many");
  auto cut = with_extensions(some);
  for (std::size_t length = 0; length < 24; ++length) {
    wire::store16(cut, 18, static_cast<std::uint16_t>(length));
    BOOST_TEST(problem_of(cut) == "truncated");
  }
  auto longer = with_extensions(some);
  wire::store8(longer, 55, 255);
  BOOST_TEST(problem_of(longer) == "truncated");
}

BOOST_AUTO_TEST_CASE(transport_checksums_are_checked) {
  for (auto frame : good_frames()) {
    const Packet packet = parsed(frame);
    if (!packet.is_ip()) continue;
    BOOST_TEST(transport_checksum_ok(frame, packet));
    frame.back() ^= std::byte{1};
    BOOST_TEST(!transport_checksum_ok(frame, packet));
  }
  auto none = good_frames()[0];
  wire::store16(none, 40, 0);
  BOOST_TEST(transport_checksum_ok(none, parsed(none)));
  auto none_v6 = good_frames()[3];
  wire::store16(none_v6, 60, 0);
  BOOST_TEST(!transport_checksum_ok(none_v6, parsed(none_v6)));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::test
