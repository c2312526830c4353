#include <boost/test/unit_test.hpp>
#include <net/layers.hpp>
#include <net/offload.hpp>
#include <tests/unit/net/frames.hpp>

namespace capsa::net::test {

BOOST_AUTO_TEST_SUITE(net_offload)

BOOST_AUTO_TEST_CASE(offloads_accept_what_they_name_and_nothing_else) {
  FrameMeta meta;
  BOOST_TEST(Offloads{}.accepts(meta));
  meta.needs_checksum = true;
  BOOST_TEST(!Offloads{}.accepts(meta));
  BOOST_TEST((Offloads{.checksum = true}.accepts(meta)));
  meta.gso = Gso::TcpV4;
  BOOST_TEST((!Offloads{.checksum = true, .tso6 = true}.accepts(meta)));
  BOOST_TEST((Offloads{.checksum = true, .tso4 = true}.accepts(meta)));
  meta.ecn = true;
  BOOST_TEST((!Offloads{.checksum = true, .tso4 = true}.accepts(meta)));
  BOOST_TEST(kAllOffloads.accepts(meta));
  meta.gso = Gso::TcpV6;
  BOOST_TEST((!Offloads{.checksum = true, .tso4 = true, .ecn = true}.accepts(meta)));
}

BOOST_AUTO_TEST_CASE(a_whole_tcp_segment_passes_and_gets_the_length_of_its_headers) {
  for (const bool ipv6 : {false, true}) {
    for (const int tags : {0, 1, 2}) {
      const TcpSpec spec{.ipv6 = ipv6, .tags = tags, .options = 12};
      FrameMeta meta = tcp_gso(spec);
      const auto expected = meta;
      meta.header_length = 0;
      BOOST_TEST(check_offload(tcp_frame(5000, spec), meta));
      BOOST_TEST((meta == expected));
    }
  }
}

BOOST_AUTO_TEST_CASE(what_does_not_fit_the_frame_is_refused) {
  const Bytes good = tcp_frame(3000);
  const auto refused = [&](auto change) {
    Bytes frame = good;
    FrameMeta meta = tcp_gso();
    change(frame, meta);
    return !check_offload(frame, meta);
  };
  using M = FrameMeta;
  using B = Bytes;
  BOOST_TEST(!refused([](B&, M&) {}));
  BOOST_TEST(refused([](B&, M& m) { m.gso = Gso::TcpV6; }));
  BOOST_TEST(refused([](B&, M& m) { m.needs_checksum = false; }));
  BOOST_TEST(refused([](B&, M& m) { m.gso_size = 0; }));
  BOOST_TEST(refused([](B&, M& m) { m.gso_size = kMinGsoSize - 1; }));
  BOOST_TEST(!refused([](B&, M& m) { m.gso_size = kMinGsoSize; }));
  BOOST_TEST(
      refused([](B& b, M& m) { m.header_length = static_cast<std::uint16_t>(b.size() + 1); }));
  BOOST_TEST(refused([](B&, M& m) { m.checksum_start += 2; }));
  BOOST_TEST(refused([](B&, M& m) { m.checksum_offset = 6; }));
  BOOST_TEST(refused([](B& b, M&) { put16(b, 12, 0x0806); }));  // ARP
  BOOST_TEST(refused([](B& b, M&) { b[23] = std::byte{kProtocolUdp}; }));
  BOOST_TEST(refused([](B& b, M&) { put16(b, 20, 0x2000); }));     // more fragments
  BOOST_TEST(refused([](B& b, M&) { put16(b, 20, 0x0001); }));     // a later fragment
  BOOST_TEST(refused([](B& b, M&) { b[14] = std::byte{0x44}; }));  // IP header of 16
  BOOST_TEST(refused([](B& b, M&) { b[14] = std::byte{0x65}; }));  // says version 6
  BOOST_TEST(refused([](B& b, M&) { b[46] = std::byte{0x40}; }));  // TCP header of 16
  BOOST_TEST(refused([](B& b, M&) { b.resize(54); }));             // no data
  BOOST_TEST(refused([](B& b, M&) { b.resize(53); }));
  BOOST_TEST(refused([](B& b, M&) { b.resize(20); }));
  FrameMeta ecn;
  ecn.ecn = true;
  BOOST_TEST(!check_offload(good, ecn));
}

BOOST_AUTO_TEST_CASE(tcp_behind_extension_headers_of_ipv6_is_found) {
  Bytes frame = tcp_frame(2000, {.ipv6 = true});
  // 16 bytes of hop-by-hop options, then 8 of destination options.
  Bytes extensions(24);
  extensions[0] = std::byte{60};
  extensions[1] = std::byte{1};
  extensions[16] = std::byte{6};
  frame.insert(frame.begin() + 54, extensions.begin(), extensions.end());
  frame[20] = std::byte{0};
  const auto layers = find_layers(frame);
  BOOST_REQUIRE(layers.has_value());
  BOOST_TEST(layers->transport == 78U);
  BOOST_TEST(layers->protocol == kProtocolTcp);
  BOOST_TEST(!layers->fragment);
  frame[54] = std::byte{44};
  BOOST_TEST(find_layers(frame)->fragment);
  // An extension that ends behind the frame.
  frame[54] = std::byte{60};
  frame[71] = std::byte{0xff};
  frame.resize(200);
  BOOST_TEST(!find_layers(frame).has_value());
}

BOOST_AUTO_TEST_CASE(a_cut_frame_is_never_read_past_its_end) {
  for (const bool ipv6 : {false, true}) {
    const Bytes frame = tcp_frame(10, {.ipv6 = ipv6, .tags = 2});
    for (std::size_t length = 0; length < frame.size(); ++length) {
      const Bytes cut(frame.begin(), frame.begin() + static_cast<std::ptrdiff_t>(length));
      FrameMeta meta = tcp_gso({.ipv6 = ipv6, .tags = 2});
      BOOST_TEST((find_layers(cut).has_value() == (length >= (ipv6 ? 62U : 42U))));
      BOOST_TEST((check_offload(cut, meta) == (length > meta.header_length)));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_completed_checksum_makes_the_sum_come_out) {
  for (const std::size_t payload : {0U, 1U, 2U, 3U, 1460U, 1461U, 9001U}) {
    Bytes frame = tcp_frame(payload);
    put16(frame, 50, 0x1234);  // the sum of a pseudo header
    FrameMeta meta{.needs_checksum = true, .checksum_start = 34, .checksum_offset = 16};
    const auto expected = reference_checksum(std::span(frame).subspan(34));
    BOOST_TEST(complete_checksum(frame, meta));
    BOOST_TEST((meta == FrameMeta{}));
    BOOST_TEST(std::to_integer<unsigned>(frame[50]) == expected >> 8U);
    BOOST_TEST(std::to_integer<unsigned>(frame[51]) == (expected & 0xffU));
    BOOST_TEST(complete_checksum(frame, meta));
  }
}

BOOST_AUTO_TEST_CASE(a_checksum_of_zero_is_written_as_its_other_form) {
  Bytes frame(60);
  put16(frame, 40, 0xffff);
  FrameMeta meta{.needs_checksum = true, .checksum_start = 34, .checksum_offset = 6};
  BOOST_TEST(complete_checksum(frame, meta));
  BOOST_TEST((frame[40] == std::byte{0xff} && frame[41] == std::byte{0xff}));
}

BOOST_AUTO_TEST_CASE(a_checksum_outside_the_frame_is_neither_passed_nor_completed) {
  const auto at = [](unsigned start, unsigned offset) {
    Bytes frame = pattern(60);
    FrameMeta meta{.needs_checksum = true,
                   .checksum_start = static_cast<std::uint16_t>(start),
                   .checksum_offset = static_cast<std::uint16_t>(offset)};
    const bool passed = check_offload(frame, meta);
    BOOST_TEST(complete_checksum(frame, meta) == passed);
    BOOST_TEST((frame == pattern(60)) != passed);
    return passed;
  };
  BOOST_TEST(at(14, 0));
  BOOST_TEST(at(34, 24));
  BOOST_TEST(!at(34, 25));
  BOOST_TEST(!at(13, 0));
  BOOST_TEST(!at(0, 40));
  BOOST_TEST(!at(60, 0));
  BOOST_TEST(!at(0xffff, 0xffff));
  FrameMeta gso = tcp_gso();
  Bytes frame = tcp_frame(3000);
  BOOST_TEST(!complete_checksum(frame, gso));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::test
