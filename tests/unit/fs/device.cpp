#include <fcntl.h>

#include <boost/test/unit_test.hpp>
#include <tests/unit/fs/device_client.hpp>

namespace capsa::virtio::fs::test {
namespace {

/// Cuts bytes into pieces of `size`.
std::vector<Bytes> cut(const Bytes& bytes, std::size_t size) {
  std::vector<Bytes> pieces;
  for (std::size_t at = 0; at < bytes.size(); at += size) {
    const auto end = std::min(bytes.size(), at + size);
    pieces.emplace_back(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                        bytes.begin() + static_cast<std::ptrdiff_t>(end));
  }
  return pieces;
}

Bytes lookup_request(std::string_view name) {
  return make_request(FUSE_LOOKUP, 1, Args().text(name));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(fs_device)

BOOST_AUTO_TEST_CASE(the_configuration_space_tells_tag_and_queues) {
  InlineBench bench;
  std::vector<std::byte> space(50, std::byte{0xff});
  bench.device->read_config(0, space);
  BOOST_TEST(capsa::test::to_text(std::span(space).first(6)) == std::string_view("share\0", 6));
  BOOST_TEST(std::to_integer<int>(space[36]) == 1);
  for (std::size_t i = 37; i < 50; ++i)
    BOOST_TEST(std::to_integer<int>(space[i]) == 0);
  std::byte one{0xff};
  bench.device->read_config(~std::size_t{0}, std::span(&one, 1));
  BOOST_TEST(std::to_integer<int>(one) == 0);
  bench.device->write_config(36, std::span(&one, 1));
  bench.device->read_config(36, std::span(&one, 1));
  BOOST_TEST(std::to_integer<int>(one) == 1);
}

BOOST_AUTO_TEST_CASE(it_is_a_file_system_with_two_queues) {
  InlineBench bench;
  const DeviceIdentity identity = bench.device->identity();
  BOOST_TEST(identity.type == 26U);
  BOOST_TEST(identity.queue_sizes.size() == 2U);
  BOOST_TEST(identity.required_queues == 2U);
  BOOST_TEST((identity.features & 1U) == 0U);  // VIRTIO_FS_F_NOTIFICATION
}

BOOST_AUTO_TEST_CASE(a_tag_that_fits_nowhere_is_refused) {
  Bench bench;
  const auto executor = std::make_shared<capsa::test::InlineExecutor>();
  ShareConfig config = Bench::writable();
  config.host_path = bench.share();
  for (const std::string& tag : {std::string(), std::string(37, 'x'), std::string("a\0b", 3)}) {
    config.tag = tag;
    const auto device = FsDevice::create(config, executor);
    BOOST_REQUIRE(!device);
    BOOST_TEST((device.error().code() == ErrorCode::InvalidConfig));
  }
  config.tag = std::string(36, 'x');
  BOOST_TEST(FsDevice::create(config, executor).ok());
}

BOOST_AUTO_TEST_CASE(requests_may_be_in_pieces_that_cut_anything_anywhere) {
  for (const bool indirect : {false, true}) {
    InlineBench bench({.indirect = indirect}, {128, 128});
    bench.file("a", "hello");
    bench.send_init();
    BOOST_TEST(bench.next()->error == 0);
    const Bytes request = lookup_request("a");
    for (std::size_t size = 1; size <= request.size(); ++size) {
      const std::size_t first = size;
      bench.send(cut(request, size), {first, sizeof(fuse_out_header) + sizeof(fuse_entry_out)});
      const auto answer = bench.next();
      BOOST_REQUIRE(answer.has_value());
      BOOST_TEST(answer->error == 0);
      BOOST_TEST(answer->as<fuse_entry_out>().attr.size == 5U);
    }
  }
}

BOOST_AUTO_TEST_CASE(data_goes_straight_between_file_and_guest_in_any_pieces) {
  InlineBench bench;
  bench.send_init();
  bench.next();
  bench.send(
      {make_request(FUSE_CREATE, 1, Args().put(fuse_create_in{O_RDWR, 0100644, 0, 0}).text("a"))},
      {4096});
  const auto made = bench.next();
  const auto node = made->as<fuse_entry_out>().nodeid;
  const auto handle = made->as<fuse_open_out>(sizeof(fuse_entry_out)).fh;
  std::string data;
  for (int i = 0; i < 3000; ++i)
    data.push_back(static_cast<char>(i * 7));
  fuse_write_in write{};
  write.fh = handle;
  write.size = 3000;
  const Bytes request = make_request(FUSE_WRITE, node, Args().put(write).raw(data));
  for (const std::size_t size :
       {std::size_t{79}, std::size_t{80}, std::size_t{81}, std::size_t{1000}, request.size()}) {
    bench.send(cut(request, size), {16, 8});
    BOOST_TEST(bench.next()->as<fuse_write_out>().size == 3000U);
    BOOST_TEST((bench.content("a") == data));
  }
  fuse_read_in read{};
  read.fh = handle;
  read.size = 4096;
  const Bytes reading = make_request(FUSE_READ, node, Args().put(read));
  for (const auto& room : std::vector<std::vector<std::size_t>>{
           {5000}, {16, 4096}, {15, 4096}, {17, 1, 2, 3, 4096}, {8, 8, 2999, 2}}) {
    bench.send({reading}, room);
    BOOST_TEST((bench.next()->text() == data));
  }
}

BOOST_AUTO_TEST_CASE(a_reply_that_does_not_fit_is_an_error_or_nothing) {
  InlineBench bench;
  bench.file("a", "hello");
  bench.send_init();
  bench.next();
  const std::size_t whole = sizeof(fuse_out_header) + sizeof(fuse_entry_out);
  for (std::size_t room = 1; room <= whole; ++room) {
    bench.send({lookup_request("a")}, {room});
    const auto answer = bench.next();
    BOOST_REQUIRE(answer.has_value());
    if (room < sizeof(fuse_out_header)) {
      BOOST_TEST(!answer->given);
    } else {
      BOOST_TEST(answer->error == (room < whole ? EIO : 0));
    }
  }
  bench.send({lookup_request("a")}, {});
  BOOST_TEST(!bench.next()->given);
}

BOOST_AUTO_TEST_CASE(chains_without_a_whole_header_are_given_back_empty) {
  InlineBench bench;
  for (std::size_t length = 0; length < sizeof(fuse_in_header); ++length) {
    bench.send({Bytes(length)}, {100});
    const auto answer = bench.next();
    BOOST_REQUIRE(answer.has_value());
    BOOST_TEST(!answer->given);
  }
  bench.send({}, {100});
  BOOST_TEST(!bench.next()->given);
  BOOST_TEST(bench.device->stats().errors == sizeof(fuse_in_header) + 1);
}

BOOST_AUTO_TEST_CASE(forgets_on_the_priority_queue_are_carried_out) {
  InlineBench bench;
  bench.file("a", "");
  bench.send_init();
  bench.next();
  bench.send({lookup_request("a")}, {4096});
  const auto node = bench.next()->as<fuse_entry_out>().nodeid;
  const Bytes forget = make_request(FUSE_FORGET, node, Args().put(fuse_forget_in{1}));
  bench.driver.send_to(*bench.device, FsDevice::kHighPriorityQueue, {forget});
  BOOST_TEST(bench.driver.pop_used(FsDevice::kHighPriorityQueue)->written == 0U);
  bench.send({make_request(FUSE_GETATTR, node, Args().put(fuse_getattr_in{}))}, {4096});
  BOOST_TEST(bench.next()->error == ESTALE);
}

BOOST_AUTO_TEST_CASE(kicks_to_nowhere_are_ignored) {
  InlineBench bench;
  bench.device->process(2);
  bench.device->process(0xffff);
  bench.device->process(FsDevice::kRequestQueue);
  BOOST_TEST(!bench.next().has_value());
}

BOOST_AUTO_TEST_CASE(a_broken_queue_yields_nothing_and_harms_nothing) {
  InlineBench bench;
  bench.driver.raw_add(FsDevice::kRequestQueue, 0xffff);
  bench.driver.publish(FsDevice::kRequestQueue);
  bench.device->process(FsDevice::kRequestQueue);
  BOOST_TEST(bench.driver.queue(FsDevice::kRequestQueue).broken());
  bench.device->process(FsDevice::kRequestQueue);
  bool reset = false;
  bench.device->reset([&] { reset = true; });
  BOOST_TEST(reset);
}

BOOST_AUTO_TEST_CASE(what_was_done_is_counted) {
  InlineBench bench;
  bench.send_init();
  bench.next();
  bench.send({lookup_request("missing")}, {4096});
  bench.next();
  const FsStats stats = bench.device->stats();
  BOOST_TEST(stats.requests == 2U);
  BOOST_TEST(stats.errors == 1U);
  BOOST_TEST(stats.read_bytes == 16U + 64U + 16U);
  BOOST_TEST(stats.written_bytes == 40U + 64U + 48U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::virtio::fs::test
