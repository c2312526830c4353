#include <boost/test/unit_test.hpp>
#include <net/gso/mss.hpp>
#include <tests/unit/net/gso/segments.hpp>

namespace capsa::net::gso::test {

namespace {

/// A SYN with these options, complete and right.
Bytes syn(std::vector<unsigned> options, bool ipv6 = false, std::uint8_t flags = kSyn) {
  options.resize((options.size() + 3) / 4 * 4);
  const TcpSpec tcp{.ipv6 = ipv6, .options = options.size()};
  Bytes frame = segment(0, {.tcp = tcp, .flags = flags});
  const std::size_t start = tcp_start(tcp);
  for (std::size_t at = 0; at < options.size(); ++at)
    frame[start + 20 + at] = static_cast<std::byte>(options[at]);
  put16(frame, start + 16, 0);
  put16(frame, start + 16, tcp_checksum(frame, tcp));
  return frame;
}

Bytes changed(const Bytes& bytes, bool (*change)(Frame&, std::uint16_t), std::uint16_t mss,
              bool expected = true) {
  const auto pool = FramePool::create();
  Frame frame = make_frame(*pool, bytes);
  BOOST_TEST(change(frame, mss) == expected);
  return bytes_of(frame);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(net_gso_mss)

BOOST_AUTO_TEST_CASE(an_mss_is_lowered_and_raised_wherever_the_option_lies) {
  for (const bool ipv6 : {false, true}) {
    for (const std::uint8_t flags : {kSyn, static_cast<std::uint8_t>(kSyn | kAck)}) {
      for (const std::size_t before : {0U, 1U, 2U, 3U}) {
        const auto with = [&](unsigned mss) {
          std::vector<unsigned> options(before, 1);
          for (const unsigned byte : {2U, 4U, mss >> 8, mss & 0xffU, 4U, 2U})
            options.push_back(byte);
          return syn(options, ipv6, flags);
        };
        BOOST_TEST((changed(with(1460), set_mss, 1360) == with(1360)));
        BOOST_TEST((changed(with(1460), set_mss, 32768) == with(32768)));
        BOOST_TEST((changed(with(65495), set_mss, 1) == with(1)));
        BOOST_TEST((changed(with(32768), set_mss, 32768, false) == with(32768)));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_checksum_that_is_still_to_be_made_is_left_alone) {
  const auto pool = FramePool::create();
  Bytes bytes = syn({2, 4, 5, 180});
  FrameMeta meta;
  meta.needs_checksum = true;
  meta.checksum_start = 34;
  meta.checksum_offset = 16;
  put16(bytes, 50, 0x1234);
  Frame frame = make_frame(*pool, bytes, meta);
  BOOST_TEST(set_mss(frame, 32768));
  put16(bytes, 56, 32768);
  BOOST_TEST((bytes_of(frame) == bytes));
}

BOOST_AUTO_TEST_CASE(what_announces_no_mss_stays_as_it_is) {
  const auto kept = [](const Bytes& bytes) { return changed(bytes, set_mss, 100, false) == bytes; };
  BOOST_TEST(kept(syn({2, 4, 5, 180}, false, kAck)));  // no SYN
  BOOST_TEST(kept(syn({})));
  BOOST_TEST(kept(syn({0, 2, 4, 5, 180})));       // behind the end
  BOOST_TEST(kept(syn({2, 3, 5, 180})));          // another length
  BOOST_TEST(kept(syn({2, 6, 5, 180, 0, 0})));    // another length
  BOOST_TEST(kept(syn({1, 1, 2, 4})));            // cut short
  BOOST_TEST(kept(syn({1, 1, 1, 2})));            // cut short
  BOOST_TEST(kept(syn({8, 0, 2, 4, 5, 180})));    // a length that leads nowhere
  BOOST_TEST(kept(syn({8, 1, 2, 4, 5, 180})));    // into itself
  BOOST_TEST(kept(syn({8, 200, 2, 4, 5, 180})));  // out of the header
  BOOST_TEST(kept(pattern(60)));
  Frame empty;
  BOOST_TEST(!set_mss(empty, 100));
}

BOOST_AUTO_TEST_CASE(a_fragment_is_no_syn) {
  Bytes bytes = syn({2, 4, 5, 180});
  put16(bytes, 20, 0x2000);
  BOOST_TEST((changed(bytes, set_mss, 100, false) == bytes));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::gso::test
