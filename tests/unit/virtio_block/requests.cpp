#include <random>
#include <tests/unit/virtio_block/bench.hpp>

namespace capsa::virtio::blk::test {

BOOST_AUTO_TEST_SUITE(virtio_block_requests)

BOOST_AUTO_TEST_CASE(what_was_written_is_read_back) {
  for (const bool indirect : {false, true}) {
    BlkBench bench(small_disk(), {}, {.indirect = indirect});
    const auto data = pattern(3, 1);
    BOOST_TEST(bench.status_of({header(VIRTIO_BLK_T_OUT, 5), data}, {1}) == VIRTIO_BLK_S_OK);
    const auto answer = bench.ask({header(VIRTIO_BLK_T_IN, 5)}, {data.size(), 1});
    BOOST_TEST(answer.status == VIRTIO_BLK_S_OK);
    BOOST_TEST(answer.written == data.size() + 1);
    BOOST_TEST(std::equal(data.begin(), data.end(), answer.data.begin()));
    BOOST_CHECK(bench.store->bytes()[4 * 512] == std::byte{0});
  }
}

BOOST_AUTO_TEST_CASE(a_driver_may_split_a_request_anywhere) {
  BlkBench bench;
  const auto data = pattern(2, 9);
  auto all = header(VIRTIO_BLK_T_OUT, 1);
  all.insert(all.end(), data.begin(), data.end());
  const auto cut = [&](std::size_t from, std::size_t to) {
    return Bytes(all.begin() + static_cast<std::ptrdiff_t>(from),
                 all.begin() + static_cast<std::ptrdiff_t>(to));
  };
  BOOST_TEST(bench.status_of({cut(0, 3), cut(3, 100), cut(100, 101), cut(101, all.size())}, {1}) ==
             VIRTIO_BLK_S_OK);
  // The status in one buffer with the data.
  const auto answer = bench.ask({header(VIRTIO_BLK_T_IN, 1)}, {7, 1000, 18});
  BOOST_TEST(answer.status == VIRTIO_BLK_S_OK);
  BOOST_TEST(answer.written == 1025U);
  BOOST_TEST(std::equal(data.begin(), data.end(), answer.data.begin()));
}

BOOST_AUTO_TEST_CASE(data_is_moved_in_place) {
  BlkBench bench;
  bench.send({header(VIRTIO_BLK_T_OUT, 0), pattern(1, 0), pattern(1, 1)}, {1});
  BOOST_REQUIRE(bench.store->in_flight() == 1U);
  const auto& request = bench.store->started(0);
  BOOST_TEST(request.length == 1024U);
  const auto first = bench.driver->raw_descriptor(0, 1);
  BOOST_REQUIRE(request.buffers.size() == 2U);
  BOOST_TEST(request.buffers[0].iov_base ==
             bench.driver->memory()->slice(first.address, 512)->data());
}

BOOST_AUTO_TEST_CASE(a_flush_reaches_the_store) {
  BlkBench bench;
  bench.send({header(VIRTIO_BLK_T_FLUSH)}, {1});
  BOOST_REQUIRE(bench.store->in_flight() == 1U);
  BOOST_CHECK(bench.store->started(0).operation == block::Operation::Flush);
  bench.store->finish_all();
  BOOST_TEST(bench.next()->status == VIRTIO_BLK_S_OK);
  BOOST_TEST(bench.device->stats().flushes == 1U);
}

BOOST_AUTO_TEST_CASE(a_driver_without_flush_gets_durable_writes) {
  BlkBench knows;
  knows.send({header(VIRTIO_BLK_T_OUT), pattern(1, 0)}, {1});
  BOOST_TEST(!knows.store->started(0).durable);
  BlkBench old(small_disk(), {}, {}, 1ULL << VIRTIO_BLK_F_WRITE_ZEROES);
  old.send({header(VIRTIO_BLK_T_OUT), pattern(1, 0)}, {1});
  old.send({header(VIRTIO_BLK_T_WRITE_ZEROES), range(0, 1)}, {1});
  BOOST_TEST(old.store->started(0).durable);
  BOOST_TEST(old.store->started(1).durable);
}

BOOST_AUTO_TEST_CASE(the_serial_number_is_padded_with_nul) {
  BlkBench bench;
  const auto answer = bench.ask({header(VIRTIO_BLK_T_GET_ID)}, {20, 1});
  BOOST_TEST(answer.status == VIRTIO_BLK_S_OK);
  BOOST_TEST(answer.written == 21U);
  BOOST_TEST(capsa::test::to_text(std::span(answer.data).first(20)) ==
             std::string_view("disk-1\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 20));
  const auto cut = bench.ask({header(VIRTIO_BLK_T_GET_ID)}, {4, 1});
  BOOST_TEST(capsa::test::to_text(std::span(cut.data).first(4)) == "disk");
  BOOST_TEST(bench.status_of({header(VIRTIO_BLK_T_GET_ID)}, {100, 1}) == VIRTIO_BLK_S_OK);
}

BOOST_AUTO_TEST_CASE(discard_and_write_zeroes_clear_a_range) {
  BlkBench bench;
  std::fill(bench.store->bytes().begin(), bench.store->bytes().end(), std::byte{7});
  BOOST_TEST(bench.status_of({header(VIRTIO_BLK_T_DISCARD), range(2, 3)}, {1}) == VIRTIO_BLK_S_OK);
  BOOST_TEST(bench.status_of({header(VIRTIO_BLK_T_WRITE_ZEROES), range(60, 4, 1)}, {1}) ==
             VIRTIO_BLK_S_OK);
  for (std::size_t sector = 0; sector < 64; ++sector) {
    const bool cleared = (sector >= 2 && sector < 5) || sector >= 60;
    BOOST_TEST(std::to_integer<int>(bench.store->bytes()[sector * 512]) == (cleared ? 0 : 7));
    BOOST_TEST(std::to_integer<int>(bench.store->bytes()[sector * 512 + 511]) == (cleared ? 0 : 7));
  }
}

BOOST_AUTO_TEST_CASE(unmapping_is_asked_for_by_its_flag) {
  BlkBench bench;
  bench.send({header(VIRTIO_BLK_T_WRITE_ZEROES), range(0, 1, 1)}, {1});
  bench.send({header(VIRTIO_BLK_T_WRITE_ZEROES), range(0, 1, 0)}, {1});
  BOOST_TEST(bench.store->started(0).may_unmap);
  BOOST_TEST(!bench.store->started(1).may_unmap);
}

BOOST_AUTO_TEST_CASE(a_failing_store_is_an_io_error) {
  BlkBench bench;
  bench.send({header(VIRTIO_BLK_T_IN)}, {512, 1});
  bench.store->finish(0, EIO);
  bench.send({header(VIRTIO_BLK_T_DISCARD), range(0, 1)}, {1});
  bench.store->finish(0, EOPNOTSUPP);
  bench.store->end_batch();
  const auto read = bench.next();
  BOOST_TEST(read->status == VIRTIO_BLK_S_IOERR);
  BOOST_TEST(read->written == 1U);
  BOOST_TEST(bench.next()->status == VIRTIO_BLK_S_UNSUPP);
  BOOST_TEST(bench.device->stats().errors == 2U);
}

BOOST_AUTO_TEST_CASE(random_requests_agree_with_an_oracle) {
  for (const unsigned seed : {1U, 2U, 3U}) {
    BOOST_TEST_CONTEXT("seed " << seed) {
      std::mt19937 random(seed);
      BlkBench bench(small_disk(), {}, {.event_idx = seed % 2 == 0, .indirect = seed % 3 == 0});
      Bytes oracle(small_disk().size);
      const auto pick = [&random](std::uint64_t below) { return random() % below; };
      for (int step = 0; step < 1000; ++step) {
        const std::uint64_t sector = pick(64);
        const std::size_t sectors = 1 + pick(std::min<std::uint64_t>(64 - sector, 8));
        const auto at = oracle.begin() + static_cast<std::ptrdiff_t>(sector * 512);
        const auto end = at + static_cast<std::ptrdiff_t>(sectors * 512);
        switch (pick(4)) {
          case 0: {
            const auto data = pattern(sectors, static_cast<unsigned>(step));
            std::copy(data.begin(), data.end(), at);
            BOOST_REQUIRE(bench.status_of({header(VIRTIO_BLK_T_OUT, sector), data}, {1}) == 0);
            break;
          }
          case 1:
            std::fill(at, end, std::byte{0});
            BOOST_REQUIRE(bench.status_of({header(pick(2) == 0 ? VIRTIO_BLK_T_DISCARD
                                                               : VIRTIO_BLK_T_WRITE_ZEROES),
                                           range(sector, static_cast<std::uint32_t>(sectors))},
                                          {1}) == 0);
            break;
          default: {
            const std::size_t first = 1 + pick(sectors * 512 - 1);
            const auto answer =
                bench.ask({header(VIRTIO_BLK_T_IN, sector)}, {first, sectors * 512 - first + 1});
            BOOST_REQUIRE(answer.status == 0);
            BOOST_REQUIRE(answer.written == sectors * 512 + 1);
            BOOST_REQUIRE(std::equal(at, end, answer.data.begin()));
            break;
          }
        }
      }
      BOOST_TEST((bench.store->bytes() == oracle));
    }
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::virtio::blk::test
