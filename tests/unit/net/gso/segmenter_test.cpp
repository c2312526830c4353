#include <boost/test/unit_test.hpp>
#include <net/gso/segmenter.hpp>
#include <tests/unit/net/gso/segments.hpp>

namespace capsa::net::gso::test {

namespace {

/// A large segment as a guest sends it, and what it is to become.
struct Large {
  Bytes bytes;
  FrameMeta meta;
  std::vector<Bytes> expected;
};

Large large(std::size_t payload, std::uint16_t size, const TcpSpec& tcp, std::uint8_t flags) {
  Large made;
  const SegmentSpec spec{
      .tcp = tcp, .sequence = 0xfffffe00, .identification = 0xfffe, .flags = flags};
  made.bytes = segment(payload, spec);
  made.meta = tcp_gso(tcp, size);
  made.meta.ecn = (flags & kCwr) != 0;
  const std::size_t headers = made.meta.header_length;
  for (std::size_t at = 0, index = 0; at < payload; at += size, ++index) {
    const std::size_t count = std::min<std::size_t>(size, payload - at);
    SegmentSpec part = spec;
    part.sequence += static_cast<std::uint32_t>(at);
    part.identification = static_cast<std::uint16_t>(part.identification + index);
    if (at + count < payload) part.flags &= static_cast<std::uint8_t>(~(kFin | kPsh));
    if (at > 0) part.flags &= static_cast<std::uint8_t>(~kCwr);
    Bytes bytes = segment(count, part);
    std::copy_n(made.bytes.begin() + static_cast<std::ptrdiff_t>(headers + at), count,
                bytes.begin() + static_cast<std::ptrdiff_t>(headers));
    put16(bytes, tcp_start(tcp) + 16, 0);
    put16(bytes, tcp_start(tcp) + 16, tcp_checksum(bytes, tcp));
    made.expected.push_back(std::move(bytes));
  }
  return made;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(net_gso_segmenter)

BOOST_AUTO_TEST_CASE(segments_are_what_the_sender_would_have_sent_without_offload) {
  const auto pool = FramePool::create();
  for (const bool ipv6 : {false, true}) {
    for (const int tags : {0, 2}) {
      for (const std::size_t payload : {1U, 1447U, 1448U, 1449U, 14480U, 60000U}) {
        const TcpSpec tcp{.ipv6 = ipv6, .tags = tags, .options = 12};
        const Large given = large(payload, 1448, tcp, kAck | kPsh | kFin | kCwr);
        const Frame frame = make_frame(*pool, given.bytes, given.meta);
        Segmenter segments(frame, Segmenter::Checksum::Complete);
        BOOST_TEST(segments.left() == given.expected.size());
        for (const Bytes& expected : given.expected) {
          const Frame part = segments.next(*pool);
          BOOST_REQUIRE(part);
          BOOST_TEST((bytes_of(part) == expected));
          BOOST_TEST((part.meta() == FrameMeta{.checksum_valid = true}));
        }
        BOOST_TEST(segments.left() == 0U);
        BOOST_TEST(!segments.next(*pool));
        BOOST_TEST((bytes_of(frame) == given.bytes));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_checksum_left_to_the_receiver_is_completed_to_the_same_bytes) {
  const auto pool = FramePool::create();
  for (const bool ipv6 : {false, true}) {
    const TcpSpec tcp{.ipv6 = ipv6};
    const Large given = large(5000, 1000, tcp, kAck);
    const Frame frame = make_frame(*pool, given.bytes, given.meta);
    Segmenter segments(frame, Segmenter::Checksum::LeftToReceiver);
    for (const Bytes& expected : given.expected) {
      Frame part = segments.next(*pool);
      BOOST_REQUIRE(part);
      BOOST_TEST(part.meta().needs_checksum);
      BOOST_TEST(check_offload(part.bytes(), part.meta()));
      BOOST_TEST(complete_checksum(part.bytes(), part.meta()));
      BOOST_TEST((bytes_of(part) == expected));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_checksum_of_zero_is_zero_on_the_wire) {
  const auto pool = FramePool::create();
  Bytes bytes = segment(2000);
  // What makes the sum of the first segment all ones; it is of words, and lies at an even place.
  SegmentSpec spec;
  Bytes first = segment(1000, spec);
  const std::uint16_t sum = tcp_checksum(first, {});  // over its own checksum: 0
  BOOST_TEST(sum == 0U);
  const std::uint16_t missing = wire::load16(first, 34 + 16);
  put16(first, 54, 0);
  put16(first, 50, 0);
  put16(first, 54, tcp_checksum(first, {}));
  BOOST_TEST(missing != 0U);
  std::copy_n(first.begin() + 54, 1000, bytes.begin() + 54);
  const Frame frame = make_frame(*pool, bytes, tcp_gso({}, 1000));
  Segmenter segments(frame, Segmenter::Checksum::Complete);
  const Frame part = segments.next(*pool);
  BOOST_TEST((bytes_of(part) == first));
  BOOST_TEST(wire::load16(part.bytes(), 50) == 0U);
}

BOOST_AUTO_TEST_CASE(what_is_not_to_be_cut_or_does_not_fit_its_metadata_has_no_segments) {
  const auto pool = FramePool::create();
  const auto left = [&](const Bytes& bytes, FrameMeta meta) {
    const Frame frame = make_frame(*pool, bytes, meta);
    return Segmenter(frame, Segmenter::Checksum::Complete).left();
  };
  const Bytes good = segment(3000);
  BOOST_TEST(left(good, tcp_gso({}, 1000)) == 3U);
  BOOST_TEST(left(good, {}) == 0U);
  FrameMeta meta = tcp_gso({}, 1000);
  meta.gso = Gso::TcpV6;
  BOOST_TEST(left(good, meta) == 0U);
  BOOST_TEST(left(good, tcp_gso({}, 0)) == 0U);
  BOOST_TEST(left(pattern(3000), tcp_gso({}, 1000)) == 0U);
  BOOST_TEST(Segmenter(Frame(), Segmenter::Checksum::Complete).left() == 0U);
}

BOOST_AUTO_TEST_CASE(a_segment_that_the_pool_cannot_give_is_still_to_come) {
  const auto pool = FramePool::create();
  const auto small = FramePool::create(2 * 2048);
  const Large given = large(3000, 1000, {}, kAck);
  const Frame frame = make_frame(*pool, given.bytes, given.meta);
  Segmenter segments(frame, Segmenter::Checksum::Complete);
  Frame first = segments.next(*small);
  const Frame second = segments.next(*small);
  BOOST_TEST(!segments.next(*small));
  BOOST_TEST(segments.left() == 1U);
  first = Frame();
  BOOST_TEST((bytes_of(segments.next(*small)) == given.expected[2]));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::gso::test
