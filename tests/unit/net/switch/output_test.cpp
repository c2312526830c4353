#include <boost/test/unit_test.hpp>
#include <net/frame_pair.hpp>
#include <net/offload.hpp>
#include <tests/unit/net/switch/bench.hpp>

// What a port does not take as it is becomes what it takes.
namespace capsa::net::test {

namespace {

struct OutputBench {
  void push(const Bytes& bytes, FrameMeta meta) { output.push(make_frame(*pool, bytes, meta)); }
  std::uint64_t dropped(FrameDrop why) const { return stats.dropped(why); }

  std::shared_ptr<FramePool> pool = FramePool::create();
  std::shared_ptr<FramePool> segments = FramePool::create();
  Recorder port;
  PortStats stats;
  Output output{port, *segments, stats};
};

}  // namespace

BOOST_AUTO_TEST_SUITE(net_switch_output)

BOOST_AUTO_TEST_CASE(what_is_taken_goes_as_it_is) {
  OutputBench bench;
  const Bytes large = tcp_frame(20'000);
  bench.push(large, tcp_gso());
  bench.output.flush();
  BOOST_REQUIRE(bench.port.frames.size() == 1U);
  BOOST_TEST((bench.port.frames[0].meta() == tcp_gso()));
  BOOST_TEST((bench.port.take() == Frames{large}));
  BOOST_TEST(bench.output.empty());
  bench.output.flush();
  BOOST_TEST(bench.port.sizes.empty());
}

BOOST_AUTO_TEST_CASE(a_checksum_is_completed_for_who_does_not_take_it) {
  OutputBench bench;
  bench.port.takes = {};
  FrameMeta meta;
  meta.needs_checksum = true;
  meta.checksum_start = 34;
  meta.checksum_offset = 16;
  bench.push(tcp_frame(100), meta);
  meta.checksum_start = 200;  // nowhere
  bench.push(tcp_frame(100), meta);
  bench.output.flush();
  BOOST_REQUIRE(bench.port.frames.size() == 1U);
  BOOST_TEST((bench.port.frames[0].meta() == FrameMeta{}));
  const Bytes got = bench.port.take()[0];
  BOOST_TEST(reference_checksum(std::span(got).subspan(34)) == 0U);
  BOOST_TEST(bench.dropped(FrameDrop::Unsupported) == 1U);
}

BOOST_AUTO_TEST_CASE(a_large_segment_is_cut_for_who_does_not_take_it_and_stays_in_its_place) {
  for (const bool checksum : {false, true}) {
    OutputBench bench;
    bench.port.takes = {.checksum = checksum};
    bench.push(ethernet(mac(1), mac(2), 70), {});
    bench.push(tcp_frame(3000), tcp_gso({}, 1000));
    bench.push(ethernet(mac(1), mac(2), 80), {});
    bench.output.flush();
    BOOST_TEST((bench.port.sizes == std::vector<std::size_t>{5}));
    BOOST_TEST(bench.stats.frames_out == 5U);
    BOOST_TEST(bench.stats.bytes_out == 150U + 3U * 1054U);
    for (std::size_t at = 1; at <= 3; ++at) {
      BOOST_TEST(bench.port.frames[at].size() == 1054U);
      BOOST_TEST(bench.port.frames[at].meta().needs_checksum == checksum);
    }
    BOOST_TEST(bench.port.frames[4].size() == 80U);
  }
}

BOOST_AUTO_TEST_CASE(no_more_segments_are_made_than_there_is_credit_for) {
  OutputBench bench;
  bench.port.takes = {};
  bench.port.room = 10;
  for (int at = 0; at < 100; ++at)
    bench.push(tcp_frame(8 * 100), tcp_gso({}, 8));
  bench.output.flush();
  BOOST_TEST(bench.port.frames.size() == 10U);
  BOOST_TEST(bench.segments->stats().allocations <= 12U);
  BOOST_TEST(bench.dropped(FrameDrop::Overflow) == 9990U);
}

BOOST_AUTO_TEST_CASE(more_segments_than_a_batch_holds_are_several_batches) {
  OutputBench bench;
  bench.port.takes = {};
  bench.port.room = 1000;
  for (int at = 0; at < 4; ++at)
    bench.push(tcp_frame(10'000), tcp_gso({}, 100));
  bench.output.flush();
  BOOST_TEST((bench.port.sizes == std::vector<std::size_t>{256, 144}));
  BOOST_TEST(bench.stats.frames_out == 400U);
}

BOOST_AUTO_TEST_CASE(segments_without_memory_and_metadata_that_lies_are_counted) {
  OutputBench bench;
  bench.segments = FramePool::create(3 * 2048);
  Output output(bench.port, *bench.segments, bench.stats);
  bench.port.takes = {};
  output.push(make_frame(*bench.pool, tcp_frame(5000), tcp_gso({}, 1000)));
  output.push(make_frame(*bench.pool, pattern(5000), tcp_gso({}, 1000)));
  output.flush();
  BOOST_TEST(bench.port.frames.size() == 3U);
  BOOST_TEST(bench.dropped(FrameDrop::NoMemory) == 2U);
  BOOST_TEST(bench.dropped(FrameDrop::Unsupported) == 1U);
}

BOOST_AUTO_TEST_CASE(a_frame_port_is_a_way_out) {
  FramePair wire(4);
  PortEgress egress(wire.a());
  BOOST_TEST(egress.credit() == 4U);
  BOOST_TEST((egress.offloads() == kAllOffloads));
  const auto pool = FramePool::create();
  PortStats stats;
  Output output(egress, *pool, stats);
  for (unsigned at = 0; at < 6; ++at)
    output.push(make_frame(*pool, pattern(100, at)));
  output.flush();
  BOOST_TEST(stats.frames_out == 4U);
  BOOST_TEST(stats.dropped(FrameDrop::Overflow) == 2U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::test
