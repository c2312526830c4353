#include <backends/virtio/block/config_space.hpp>
#include <tests/unit/virtio_block/bench.hpp>

namespace capsa::virtio::blk::test {
namespace {

virtio_blk_config config_of(const BlkDevice& device) {
  virtio_blk_config config{};
  device.read_config(0, std::as_writable_bytes(std::span(&config, 1)));
  return config;
}

bool offers(const BlkDevice& device, unsigned bit) {
  return (device.identity().features >> bit & 1) != 0;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(virtio_block_config)

BOOST_AUTO_TEST_CASE(the_driver_finds_the_disk_as_it_is) {
  auto info = small_disk();
  info.block_size = 1024;
  BlkBench bench(info, {.serial = "s", .queues = 3, .queue_size = 64});
  const auto config = config_of(*bench.device);
  BOOST_TEST(config.capacity == 64U);
  BOOST_TEST(config.seg_max == 62U);
  BOOST_TEST(config.blk_size == 1024U);
  BOOST_TEST(config.physical_block_exp == 2);
  BOOST_TEST(config.min_io_size == 4);
  BOOST_TEST(config.num_queues == 3);
  BOOST_TEST(config.max_discard_sectors == 32U);
  BOOST_TEST(config.max_discard_seg == 1U);
  BOOST_TEST(config.discard_sector_alignment == 8U);
  BOOST_TEST(config.max_write_zeroes_sectors == 32U);
  BOOST_TEST(config.write_zeroes_may_unmap == 1);
  BOOST_TEST(bench.device->identity().queue_sizes.size() == 3U);
  BOOST_TEST(bench.device->identity().type == 2U);
}

BOOST_AUTO_TEST_CASE(bytes_beyond_the_end_read_as_zero) {
  BlkBench bench;
  Bytes out(100, std::byte{0xff});
  bench.device->read_config(56, out);
  BOOST_TEST(std::to_integer<int>(out[0]) == 1);  // write_zeroes_may_unmap
  BOOST_TEST(std::to_integer<int>(out[4]) == 0);
  BOOST_TEST(std::to_integer<int>(out[99]) == 0);
  out.assign(8, std::byte{0xff});
  bench.device->read_config(SIZE_MAX - 2, out);
  BOOST_TEST(std::to_integer<int>(out[0]) == 0);
}

BOOST_AUTO_TEST_CASE(what_the_store_cannot_do_is_not_offered) {
  auto info = small_disk();
  BlkBench whole(info);
  BOOST_TEST(offers(*whole.device, VIRTIO_BLK_F_DISCARD));
  BOOST_TEST(offers(*whole.device, VIRTIO_BLK_F_WRITE_ZEROES));
  BOOST_TEST(offers(*whole.device, VIRTIO_BLK_F_FLUSH));
  BOOST_TEST(!offers(*whole.device, VIRTIO_BLK_F_RO));
  BOOST_TEST(!offers(*whole.device, VIRTIO_BLK_F_MQ));
  info.discard = false;
  info.write_zeroes = false;
  BlkBench plain(info);
  BOOST_TEST(!offers(*plain.device, VIRTIO_BLK_F_DISCARD));
  BOOST_TEST(!offers(*plain.device, VIRTIO_BLK_F_WRITE_ZEROES));
  BOOST_TEST(config_of(*plain.device).max_discard_sectors == 0U);
}

BOOST_AUTO_TEST_CASE(a_read_only_disk_offers_nothing_that_writes) {
  auto info = small_disk();
  info.read_only = true;
  BlkBench bench(info);
  BOOST_TEST(offers(*bench.device, VIRTIO_BLK_F_RO));
  BOOST_TEST(!offers(*bench.device, VIRTIO_BLK_F_DISCARD));
  BOOST_TEST(!offers(*bench.device, VIRTIO_BLK_F_WRITE_ZEROES));
}

BOOST_AUTO_TEST_CASE(a_configuration_out_of_range_names_its_field) {
  const auto refused = [](BlkConfig config) {
    const auto made =
        BlkDevice::create(std::move(config), std::make_unique<block::MemoryStore>(small_disk()));
    return made.ok() ? std::string() : made.error().message();
  };
  BOOST_TEST(refused({.serial = "123456789012345678901"}).find("serial") != std::string::npos);
  BOOST_TEST(refused({.queues = 0}).find("queues") != std::string::npos);
  BOOST_TEST(refused({.queues = 65}).find("queues") != std::string::npos);
  BOOST_TEST(refused({.queue_size = 100}).find("queue size") != std::string::npos);
  BOOST_TEST(refused({.serial = "12345678901234567890"}).empty());
  BOOST_TEST(!BlkDevice::create({}, nullptr).ok());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::virtio::blk::test
