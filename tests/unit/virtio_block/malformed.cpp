#include <limits>
#include <tests/unit/virtio_block/bench.hpp>

namespace capsa::virtio::blk::test {
namespace {

/// Nothing of what is refused may reach the disk.
struct MalformedBench : BlkBench {
  using BlkBench::BlkBench;
  int refused(const std::vector<Bytes>& readable, const std::vector<std::size_t>& writable) {
    send(readable, writable);
    BOOST_REQUIRE(store->in_flight() == 1U);
    BOOST_CHECK(store->started(0).operation == block::Operation::Nothing);
    store->finish_all();
    return next().value().status;
  }
};

constexpr int kIoError = VIRTIO_BLK_S_IOERR;
constexpr int kUnsupported = VIRTIO_BLK_S_UNSUPP;

}  // namespace

BOOST_AUTO_TEST_SUITE(virtio_block_malformed)

BOOST_AUTO_TEST_CASE(a_short_header_is_an_io_error) {
  MalformedBench bench;
  for (const std::size_t length : {0U, 1U, 8U, 15U}) {
    auto cut = header(VIRTIO_BLK_T_IN);
    cut.resize(length);
    BOOST_TEST(bench.refused({cut}, {512, 1}) == kIoError);
  }
  BOOST_TEST(bench.refused({}, {512, 1}) == kIoError);
}

BOOST_AUTO_TEST_CASE(a_chain_without_room_for_a_status_is_given_back_empty) {
  MalformedBench bench;
  bench.send({header(VIRTIO_BLK_T_OUT), pattern(1, 0)}, {});
  bench.send({header(VIRTIO_BLK_T_FLUSH)}, {});
  bench.send({header(VIRTIO_BLK_T_FLUSH)}, {0});
  bench.store->finish_all();
  for (int i = 0; i < 3; ++i) {
    const auto answer = bench.next();
    BOOST_REQUIRE(answer.has_value());
    BOOST_TEST(answer->written == 0U);
    BOOST_TEST(answer->status == -1);
  }
  BOOST_TEST(bench.device->stats().unanswered == 3U);
  BOOST_CHECK(bench.store->bytes()[0] == std::byte{0});
}

BOOST_AUTO_TEST_CASE(data_on_the_wrong_side_is_an_io_error) {
  MalformedBench bench;
  BOOST_TEST(bench.refused({header(VIRTIO_BLK_T_IN), pattern(1, 0)}, {1}) == kIoError);
  BOOST_TEST(bench.refused({header(VIRTIO_BLK_T_IN), pattern(1, 0)}, {512, 1}) == kIoError);
  BOOST_TEST(bench.refused({header(VIRTIO_BLK_T_OUT)}, {512, 1}) == kIoError);
  BOOST_TEST(bench.refused({header(VIRTIO_BLK_T_OUT), pattern(1, 0)}, {512, 1}) == kIoError);
}

BOOST_AUTO_TEST_CASE(a_length_that_is_no_multiple_of_512_is_an_io_error) {
  MalformedBench bench;
  for (const std::size_t length : {1U, 511U, 513U, 1000U}) {
    BOOST_TEST(bench.refused({header(VIRTIO_BLK_T_IN)}, {length, 1}) == kIoError);
    BOOST_TEST(bench.refused({header(VIRTIO_BLK_T_OUT), Bytes(length)}, {1}) == kIoError);
  }
}

BOOST_AUTO_TEST_CASE(a_request_must_fit_the_block_size_of_the_disk) {
  auto info = small_disk();
  info.block_size = 4096;
  MalformedBench bench(info);
  BOOST_TEST(bench.refused({header(VIRTIO_BLK_T_IN, 0)}, {512, 1}) == kIoError);
  BOOST_TEST(bench.refused({header(VIRTIO_BLK_T_IN, 1)}, {4096, 1}) == kIoError);
  BOOST_TEST(bench.refused({header(VIRTIO_BLK_T_DISCARD), range(1, 8)}, {1}) == kIoError);
  BOOST_TEST(bench.status_of({header(VIRTIO_BLK_T_IN, 8)}, {4096, 1}) == VIRTIO_BLK_S_OK);
}

BOOST_AUTO_TEST_CASE(nothing_lies_beyond_the_end_however_the_sector_wraps) {
  MalformedBench bench;
  constexpr auto kMax = std::numeric_limits<std::uint64_t>::max();
  for (const std::uint64_t sector :
       {std::uint64_t{64}, std::uint64_t{65}, kMax, kMax - 1, kMax / 512, kMax / 512 + 1,
        kMax / 512 + 2, std::uint64_t{1} << 55, std::uint64_t{1} << 63}) {
    BOOST_TEST(bench.refused({header(VIRTIO_BLK_T_IN, sector)}, {512, 1}) == kIoError);
    BOOST_TEST(bench.refused({header(VIRTIO_BLK_T_OUT, sector), pattern(1, 0)}, {1}) == kIoError);
    BOOST_TEST(bench.refused({header(VIRTIO_BLK_T_DISCARD), range(sector, 1)}, {1}) == kIoError);
    BOOST_TEST(bench.refused({header(VIRTIO_BLK_T_WRITE_ZEROES), range(sector, 2)}, {1}) ==
               kIoError);
  }
  BOOST_TEST(bench.refused({header(VIRTIO_BLK_T_IN, 63)}, {1024, 1}) == kIoError);
  BOOST_TEST(bench.status_of({header(VIRTIO_BLK_T_IN, 63)}, {512, 1}) == VIRTIO_BLK_S_OK);
}

BOOST_AUTO_TEST_CASE(an_unknown_type_is_unsupported) {
  MalformedBench bench;
  for (const std::uint32_t type : {2U, 3U, 5U, 14U, 0x8000'0000U, 0xffff'ffffU}) {
    BOOST_TEST(bench.refused({header(type)}, {1}) == kUnsupported);
    BOOST_TEST(bench.refused({header(type), pattern(1, 0)}, {512, 1}) == kUnsupported);
  }
}

BOOST_AUTO_TEST_CASE(a_discard_takes_one_range_of_what_was_offered) {
  MalformedBench bench;
  const auto one = range(0, 1);
  for (const std::uint32_t type : {VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_WRITE_ZEROES}) {
    BOOST_TEST(bench.refused({header(type)}, {1}) == kIoError);
    BOOST_TEST(bench.refused({header(type), Bytes(15)}, {1}) == kIoError);
    BOOST_TEST(bench.refused({header(type), Bytes(17)}, {1}) == kIoError);
    BOOST_TEST(bench.refused({header(type), one, one}, {1}) == kUnsupported);
    BOOST_TEST(bench.refused({header(type), range(0, 33)}, {1}) == kIoError);
    BOOST_TEST(bench.refused({header(type), range(0, 0xffff'ffff)}, {1}) == kIoError);
    BOOST_TEST(bench.refused({header(type), range(0, 1, 2)}, {1}) == kUnsupported);
  }
  BOOST_TEST(bench.refused({header(VIRTIO_BLK_T_DISCARD), range(0, 1, 1)}, {1}) == kUnsupported);
}

BOOST_AUTO_TEST_CASE(what_was_not_agreed_is_unsupported) {
  MalformedBench bench(small_disk(), BlkConfig{}, capsa::test::FakeDriverOptions{}, 0);
  BOOST_TEST(bench.refused({header(VIRTIO_BLK_T_DISCARD), range(0, 1)}, {1}) == kUnsupported);
  BOOST_TEST(bench.refused({header(VIRTIO_BLK_T_WRITE_ZEROES), range(0, 1)}, {1}) == kUnsupported);
}

BOOST_AUTO_TEST_CASE(nothing_writes_to_a_read_only_disk) {
  auto info = small_disk();
  info.read_only = true;
  MalformedBench bench(info);
  BOOST_TEST(bench.refused({header(VIRTIO_BLK_T_OUT), pattern(1, 0)}, {1}) == kIoError);
  BOOST_TEST(bench.refused({header(VIRTIO_BLK_T_DISCARD), range(0, 1)}, {1}) == kIoError);
  BOOST_TEST(bench.refused({header(VIRTIO_BLK_T_WRITE_ZEROES), range(0, 1)}, {1}) == kIoError);
  BOOST_TEST(bench.status_of({header(VIRTIO_BLK_T_IN)}, {512, 1}) == VIRTIO_BLK_S_OK);
}

BOOST_AUTO_TEST_CASE(more_buffers_than_a_store_takes_are_an_io_error) {
  // A table of 1024 makes more segments only where buffers span regions of memory.
  auto raw_header = header(VIRTIO_BLK_T_IN);
  std::vector<std::byte> memory(1025 * 512 + 1);
  DiskTraits disk;
  disk.store.size = 1U << 30;
  for (const std::size_t count : {1024U, 1025U}) {
    Chain chain;
    chain.readable.push_back(raw_header);
    for (std::size_t i = 0; i < count; ++i)
      chain.writable.emplace_back(memory.data() + i * 512, 512);
    chain.writable.emplace_back(memory.data() + count * 512, 1);
    GuestRequest request;
    parse(chain, disk, request);
    BOOST_CHECK(request.answer == (count == 1024 ? Status::Ok : Status::IoError));
    BOOST_CHECK(request.operation ==
                (count == 1024 ? block::Operation::Read : block::Operation::Nothing));
    BOOST_TEST(request.buffers.size() == (count == 1024 ? 1024U : 0U));
  }
}

BOOST_AUTO_TEST_CASE(a_broken_ring_is_left_alone) {
  MalformedBench bench;
  bench.driver->raw_available_index(0, 1000);
  bench.device->process(0);
  BOOST_TEST(bench.store->in_flight() == 0U);
  BOOST_TEST(bench.driver->queue(0).broken());
  bool ended = false;
  bench.device->reset([&] { ended = true; });
  BOOST_TEST(ended);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::virtio::blk::test
