#include <boost/test/unit_test.hpp>
#include <net/gso/coalescer.hpp>
#include <net/gso/segmenter.hpp>
#include <random>
#include <tests/unit/net/gso/segments.hpp>

namespace capsa::net::gso::test {

namespace {

struct Bench {
  FrameBatch coalesce(const std::vector<Bytes>& frames, const Offloads& receiver = kAllOffloads) {
    FrameBatch batch = pool->batch();
    for (const Bytes& bytes : frames)
      batch.push(make_frame(*pool, bytes));
    return coalescer.coalesce(std::move(batch), receiver);
  }
  /// What a receiver without offloads gets of it.
  std::vector<Bytes> apart(const FrameBatch& batch) {
    std::vector<Bytes> all;
    for (const Frame& frame : batch) {
      if (frame.meta().gso == Gso::None) {
        all.push_back(bytes_of(frame));
        continue;
      }
      FrameMeta meta = frame.meta();
      BOOST_TEST(check_offload(frame.bytes(), meta));
      BOOST_TEST((meta == frame.meta()));
      Segmenter segments(frame, Segmenter::Checksum::Complete);
      while (segments.left() > 0)
        all.push_back(bytes_of(segments.next(*pool)));
    }
    return all;
  }

  std::shared_ptr<FramePool> pool = FramePool::create(32U << 20);
  std::shared_ptr<FramePool> large = FramePool::create();
  Coalescer coalescer{large};
};

/// Segments of one flow that follow each other.
std::vector<Bytes> train(std::size_t count, std::size_t size, const SegmentSpec& first = {},
                         std::size_t last = 0, std::uint8_t last_flags = kAck) {
  std::vector<Bytes> frames;
  SegmentSpec spec = first;
  for (std::size_t at = 0; at < count; ++at) {
    const bool ends = at + 1 == count;
    if (ends && last_flags != kAck) spec.flags = last_flags;
    spec.seed = static_cast<unsigned>(at);
    frames.push_back(segment(ends && last > 0 ? last : size, spec));
    spec.sequence += static_cast<std::uint32_t>(size);
    ++spec.identification;
    spec.flags &= static_cast<std::uint8_t>(~kCwr);
  }
  return frames;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(net_gso_coalescer)

BOOST_AUTO_TEST_CASE(a_train_of_segments_becomes_one_and_is_cut_into_the_same_bytes) {
  Bench bench;
  for (const bool ipv6 : {false, true}) {
    for (const int tags : {0, 1}) {
      const TcpSpec tcp{.ipv6 = ipv6, .tags = tags, .options = 12};
      const auto frames =
          train(40, 1448, {.tcp = tcp, .sequence = 0xfffffff0, .flags = kAck | kCwr}, 700,
                kAck | kPsh | kFin);
      const FrameBatch joined = bench.coalesce(frames);
      BOOST_REQUIRE(joined.size() == 1U);
      BOOST_TEST((joined[0].meta().gso == (ipv6 ? Gso::TcpV6 : Gso::TcpV4)));
      BOOST_TEST(joined[0].meta().gso_size == 1448U);
      BOOST_TEST(joined[0].meta().ecn);
      BOOST_TEST((bench.apart(joined) == frames));
    }
  }
  BOOST_TEST(bench.coalescer.made() == 4U);
  BOOST_TEST(bench.coalescer.joined() == 160U);
}

BOOST_AUTO_TEST_CASE(no_large_segment_is_longer_than_an_ip_packet) {
  Bench bench;
  const auto frames = train(100, 1460);
  const FrameBatch joined = bench.coalesce(frames);
  BOOST_REQUIRE(joined.size() == 3U);
  BOOST_TEST(joined[0].size() == 14U + 40U + 44U * 1460U);
  BOOST_TEST((bench.apart(joined) == frames));
}

BOOST_AUTO_TEST_CASE(flows_are_joined_each_for_itself) {
  Bench bench;
  const auto a = train(20, 1000);
  const auto b = train(20, 500, {.tcp = {.source = 40001}});
  const auto c = train(20, 800, {.tcp = {.reply = true}});
  std::vector<Bytes> mixed;
  for (std::size_t at = 0; at < 20; ++at)
    for (const auto* flow : {&a, &b, &c})
      mixed.push_back((*flow)[at]);
  const FrameBatch joined = bench.coalesce(mixed);
  BOOST_TEST(joined.size() == 3U);
  std::vector<Bytes> expected;
  for (const auto* flow : {&a, &b, &c})
    expected.insert(expected.end(), flow->begin(), flow->end());
  BOOST_TEST((bench.apart(joined) == expected));
}

BOOST_AUTO_TEST_CASE(what_differs_or_is_broken_is_kept_apart_and_in_order) {
  Bench bench;
  // Changes the second of three.
  const auto left = [&](auto change, bool right = true) {
    auto frames = train(3, 1000);
    change(frames[1]);
    if (right) {
      put16(frames[1], 24, 0);
      put16(frames[1], 24, reference_checksum(std::span(frames[1]).subspan(14, 20)));
      put16(frames[1], 50, 0);
      put16(frames[1], 50, tcp_checksum(frames[1], {}));
    }
    const FrameBatch joined = bench.coalesce(frames);
    BOOST_TEST((bench.apart(joined) == frames));
    return joined.size();
  };
  BOOST_TEST(left([](Bytes&) {}) == 1U);
  BOOST_TEST(left([](Bytes& b) { b[0] ^= std::byte{2}; }) == 3U);      // another station
  BOOST_TEST(left([](Bytes& b) { b[15] = std::byte{4}; }) == 3U);      // service
  BOOST_TEST(left([](Bytes& b) { put16(b, 18, 999); }) == 3U);         // identification
  BOOST_TEST(left([](Bytes& b) { put16(b, 20, 0); }) == 3U);           // may be fragmented
  BOOST_TEST(left([](Bytes& b) { put16(b, 20, 0x2000); }) == 3U);      // is a fragment
  BOOST_TEST(left([](Bytes& b) { b[22] = std::byte{63}; }) == 3U);     // TTL
  BOOST_TEST(left([](Bytes& b) { b[41] ^= std::byte{1}; }) == 3U);     // sequence
  BOOST_TEST(left([](Bytes& b) { b[45] ^= std::byte{1}; }) == 3U);     // acknowledgement
  BOOST_TEST(left([](Bytes& b) { b[46] |= std::byte{1}; }) == 3U);     // a reserved bit
  BOOST_TEST(left([](Bytes& b) { b[47] |= std::byte{kCwr}; }) == 2U);  // begins a new one
  BOOST_TEST(left([](Bytes& b) { b[47] |= std::byte{kPsh}; }) == 2U);  // ends one
  BOOST_TEST(left([](Bytes& b) { b[47] |= std::byte{kUrg}; }) == 3U);
  BOOST_TEST(left([](Bytes& b) { b[47] |= std::byte{kRst}; }) == 3U);
  BOOST_TEST(left([](Bytes& b) { b[47] = std::byte{0}; }) == 3U);
  BOOST_TEST(left([](Bytes& b) { b[49] ^= std::byte{1}; }) == 3U);             // window
  BOOST_TEST(left([](Bytes& b) { b[53] ^= std::byte{1}; }) == 3U);             // urgent pointer
  BOOST_TEST(left([](Bytes& b) { b[60] ^= std::byte{1}; }, false) == 3U);      // TCP's checksum
  BOOST_TEST(left([](Bytes& b) { b[24] ^= std::byte{1}; }, false) == 3U);      // IP's checksum
  BOOST_TEST(left([](Bytes& b) { b.push_back(std::byte{0}); }, false) == 3U);  // padded
  BOOST_TEST(left([](Bytes& b) { put16(b, 16, 900); }) == 3U);                 // as well
}

BOOST_AUTO_TEST_CASE(an_acknowledgement_between_two_segments_stays_between_them) {
  Bench bench;
  auto frames = train(4, 1000);
  frames.insert(frames.begin() + 2, segment(0, {.sequence = 3000}));
  const FrameBatch joined = bench.coalesce(frames);
  BOOST_TEST(joined.size() == 3U);
  BOOST_TEST((bench.apart(joined) == frames));
}

BOOST_AUTO_TEST_CASE(only_a_receiver_that_takes_it_is_given_a_large_segment) {
  Bench bench;
  const auto ecn = train(3, 1000, {.flags = kAck | kCwr});
  BOOST_TEST(bench.coalesce(ecn, {}).size() == 3U);
  BOOST_TEST(bench.coalesce(ecn, {.checksum = true, .tso6 = true, .ecn = true}).size() == 3U);
  BOOST_TEST(bench.coalesce(ecn, {.checksum = true, .tso4 = true, .ecn = true}).size() == 1U);
  // The first with its CWR stays alone.
  BOOST_TEST(bench.coalesce(ecn, {.checksum = true, .tso4 = true}).size() == 2U);
}

BOOST_AUTO_TEST_CASE(frames_stay_as_they_are_where_the_pool_is_empty) {
  Bench bench;
  bench.coalescer = Coalescer(FramePool::create(2048));
  const auto frames = train(5, 1000);
  const FrameBatch joined = bench.coalesce(frames);
  BOOST_TEST(joined.size() == 5U);
  BOOST_TEST((bench.apart(joined) == frames));
  BOOST_TEST(bench.coalescer.made() == 0U);
}

BOOST_AUTO_TEST_CASE(checksums_that_are_still_to_be_made_are_made_of_the_whole) {
  Bench bench;
  const auto frames = train(3, 1000);
  FrameBatch batch = bench.pool->batch();
  for (const Bytes& bytes : frames) {
    Bytes half = bytes;
    put16(half, 50, 0x5555);
    FrameMeta meta;
    meta.needs_checksum = true;
    meta.checksum_start = 34;
    meta.checksum_offset = 16;
    batch.push(make_frame(*bench.pool, half, meta));
  }
  const FrameBatch joined = bench.coalescer.coalesce(std::move(batch), kAllOffloads);
  BOOST_TEST(joined.size() == 1U);
  BOOST_TEST((bench.apart(joined) == frames));
}

BOOST_AUTO_TEST_CASE(any_mixture_is_cut_into_the_frames_of_each_flow_in_their_order) {
  std::mt19937 random(4);
  Bench bench;
  for (int round = 0; round < 200; ++round) {
    std::vector<std::vector<Bytes>> flows;
    for (unsigned flow = 0; flow < 12; ++flow) {
      const std::size_t size = 8 + random() % 1400;
      const TcpSpec tcp{.ipv6 = flow % 2 == 0, .source = static_cast<std::uint16_t>(1000 + flow)};
      flows.push_back(train(1 + random() % 20, size,
                            {.tcp = tcp, .sequence = static_cast<std::uint32_t>(random())},
                            1 + random() % size, random() % 2 == 0 ? kAck : kAck | kPsh));
      for (Bytes& bytes : flows.back())
        if (random() % 16 == 0) bytes[tcp_start(tcp) + random() % 20] ^= std::byte{1};
    }
    std::vector<Bytes> mixed;
    std::vector<std::size_t> next(flows.size());
    for (std::size_t flow = 0; mixed.size() < 200;
         flow = random() % 24 == 0 ? random() % 12 : flow) {
      if (next[flow] < flows[flow].size())
        mixed.push_back(flows[flow][next[flow]++]);
      else if (std::equal(next.begin(), next.end(), flows.begin(),
                          [](std::size_t at, const auto& all) { return at == all.size(); }))
        break;
      else
        flow = random() % 12;
    }
    const auto apart = bench.apart(bench.coalesce(mixed));
    BOOST_REQUIRE(apart.size() == mixed.size());
    const auto of = [](const std::vector<Bytes>& all, bool ipv6, std::uint16_t port) {
      std::vector<Bytes> found;
      for (const Bytes& bytes : all)
        if ((bytes[12] == std::byte{0x86}) == ipv6 && wire::load16(bytes, ipv6 ? 54 : 34) == port)
          found.push_back(bytes);
      return found;
    };
    for (unsigned flow = 0; flow < 12; ++flow) {
      const auto port = static_cast<std::uint16_t>(1000 + flow);
      BOOST_REQUIRE((of(apart, flow % 2 == 0, port) == of(mixed, flow % 2 == 0, port)));
    }
  }
  BOOST_TEST(bench.coalescer.made() > 100U);
  BOOST_TEST(bench.large->stats().bytes_in_use == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::gso::test
