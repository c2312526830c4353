#include <backends/block/file_io.hpp>
#include <backends/block/raw_store.hpp>
#include <tests/support/scratch_dir.hpp>
#include <tests/support/test_loop.hpp>
#include <tests/unit/virtio_block/bench.hpp>

// Devices on real files, several on one ring.
namespace capsa::virtio::blk::test {
namespace {

struct RawDisk {
  RawDisk(const std::filesystem::path& path, const std::shared_ptr<block::FileIo>& io) {
    device = BlkDevice::create({}, block::RawStore::open(path, false, io).value()).value();
    driver = std::make_unique<capsa::test::FakeDriver>(device->identity());
    driver->activate(*device, kAllFeatures);
  }
  std::unique_ptr<BlkDevice> device;
  std::unique_ptr<capsa::test::FakeDriver> driver;
};

struct RawDisks {
  RawDisks() {
    for (const char* name : {"a", "b"}) {
      const auto path = directory.file(name, "");
      std::filesystem::resize_file(path, 1U << 20);
      disks.push_back(std::make_unique<RawDisk>(path, io));
    }
  }
  void send(RawDisk& disk, std::uint32_t type, std::uint64_t sector, std::size_t sectors,
            unsigned salt = 0) {
    if (type == VIRTIO_BLK_T_OUT) {
      disk.driver->send(0, {header(type, sector), pattern(sectors, salt)}, {1});
    } else {
      disk.driver->send(0, {header(type, sector)}, {sectors * 512, 1});
    }
  }
  capsa::test::FakeDriver::Used answer(RawDisk& disk) {
    BOOST_REQUIRE(loop.run_until([&] { return disk.driver->used_pending(0) != 0; }));
    return disk.driver->pop_used(0).value();
  }

  tests::ScratchDir directory;
  tests::TestLoop loop;
  std::shared_ptr<block::FileIo> io = block::make_file_io(loop).value();
  std::vector<std::unique_ptr<RawDisk>> disks;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(virtio_block_raw_disk)

BOOST_AUTO_TEST_CASE(what_one_disk_gets_the_other_does_not) {
  RawDisks bench;
  RawDisk& a = *bench.disks[0];
  RawDisk& b = *bench.disks[1];
  for (unsigned i = 0; i < 20; ++i) {
    bench.send(a, VIRTIO_BLK_T_OUT, i * 8, 8, i);
    bench.send(b, VIRTIO_BLK_T_OUT, i * 8, 8, i + 100);
  }
  a.device->process(0);
  b.device->process(0);
  for (unsigned i = 0; i < 20; ++i) {
    BOOST_CHECK(bench.answer(a).data == Bytes(1));
    BOOST_CHECK(bench.answer(b).data == Bytes(1));
  }
  for (unsigned i = 0; i < 20; ++i) {
    bench.send(a, VIRTIO_BLK_T_IN, i * 8, 8);
    a.device->process(0);
    auto expected = pattern(8, i);
    expected.push_back(std::byte{0});
    BOOST_CHECK(bench.answer(a).data == expected);
  }
}

BOOST_AUTO_TEST_CASE(a_disk_may_end_another_one_when_its_reset_ends) {
  RawDisks bench;
  for (int i = 0; i < 30; ++i) {
    bench.send(*bench.disks[0], VIRTIO_BLK_T_OUT, 0, 64, 1);
    bench.send(*bench.disks[1], VIRTIO_BLK_T_OUT, 0, 64, 1);
  }
  bench.disks[0]->device->process(0);
  bool ended = false;
  bench.disks[0]->device->reset([&] {
    ended = true;
    // With requests of its own in flight, and perhaps from within its process().
    bench.disks[1]->device.reset();
    bench.disks[0]->device.reset();
  });
  if (bench.disks[1]->device) bench.disks[1]->device->process(0);
  BOOST_TEST(bench.loop.run_until([&] { return ended; }));
  bench.loop.run_ready();
  BOOST_TEST(bench.disks[0]->driver->used_pending(0) == 30U);
}

BOOST_AUTO_TEST_CASE(a_suspended_disk_goes_on_with_its_file) {
  RawDisks bench;
  RawDisk& disk = *bench.disks[0];
  bench.send(disk, VIRTIO_BLK_T_OUT, 3, 2, 5);
  disk.device->process(0);
  bool at_rest = false;
  disk.device->suspend([&] { at_rest = true; });
  BOOST_TEST(bench.loop.run_until([&] { return at_rest; }));
  disk.driver->activate(*disk.device, kAllFeatures);
  BOOST_CHECK(bench.answer(disk).data == Bytes(1));
  bench.send(disk, VIRTIO_BLK_T_IN, 3, 2);
  disk.device->process(0);
  auto expected = pattern(2, 5);
  expected.push_back(std::byte{0});
  BOOST_CHECK(bench.answer(disk).data == expected);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::virtio::blk::test
