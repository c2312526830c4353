#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <backends/block/io_ring.hpp>
#include <backends/block/io_threads.hpp>
#include <backends/block/raw_store.hpp>
#include <boost/mpl/list.hpp>
#include <fstream>
#include <iterator>
#include <span>
#include <tests/support/scratch_dir.hpp>
#include <tests/unit/block/store_client.hpp>

namespace capsa::block::test {
namespace {

/// The same for both ways to reach the kernel.
template <class Io>
struct RawBench {
  RawBench() {
    auto made = Io::create(loop);
    if (made.ok()) io = *made;
  }
  std::filesystem::path image(std::uint64_t size, const std::string& name = "disk") {
    const auto path = directory.file(name, "");
    std::filesystem::resize_file(path, size);
    return path;
  }
  std::unique_ptr<RawStore> open(const std::filesystem::path& path, bool read_only = false) {
    return RawStore::open(path, read_only, io).value();
  }
  static Bytes content(const std::filesystem::path& path) {
    std::ifstream stream(path, std::ios::binary);
    const std::vector<char> text{std::istreambuf_iterator<char>(stream), {}};
    const auto bytes = std::as_bytes(std::span(text));
    return {bytes.begin(), bytes.end()};
  }

  tests::ScratchDir directory;
  tests::TestLoop loop;
  std::shared_ptr<FileIo> io;
};

using Backends = boost::mpl::list<IoRing, IoThreads>;

}  // namespace

BOOST_AUTO_TEST_SUITE(block_raw_store)

// Where the host forbids io_uring there is nothing to test of it.
#define BENCH_OR_RETURN()                      \
  RawBench<Io> bench;                          \
  if (!bench.io) {                             \
    BOOST_TEST_MESSAGE("io_uring: forbidden"); \
    return;                                    \
  }

BOOST_AUTO_TEST_CASE_TEMPLATE(what_was_written_is_in_the_file, Io, Backends) {
  BENCH_OR_RETURN()
  const auto path = bench.image(8192);
  const auto store = bench.open(path);
  WaitingClient client(bench.loop, *store);
  const auto data = pattern(1024, 1);
  BOOST_TEST(client.write(512, data, 3) == 0);
  BOOST_TEST(client.write(4096, data, 1, true) == 0);
  BOOST_TEST(client.run(Operation::Flush) == 0);
  BOOST_TEST(client.run(Operation::Nothing) == 0);
  const auto now = bench.content(path);
  BOOST_TEST(now.size() == 8192U);
  BOOST_TEST(std::equal(data.begin(), data.end(), now.begin() + 512));
  BOOST_TEST(std::equal(data.begin(), data.end(), now.begin() + 4096));
  Bytes back(1024);
  BOOST_TEST(client.read(512, back, 4) == 0);
  BOOST_TEST((back == data));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_batch_larger_than_the_ring_completes_once_each, Io, Backends) {
  BENCH_OR_RETURN()
  const auto store = bench.open(bench.image(1U << 20));
  WaitingClient client(bench.loop, *store);
  std::vector<Request> requests(1500);
  std::vector<Bytes> data;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    data.push_back(pattern(512, static_cast<unsigned>(i)));
    requests[i] = WaitingClient::transfer(Operation::Write, i * 512, data.back(), 1);
    store->start(requests[i]);
  }
  store->submit();
  BOOST_REQUIRE(client.wait(requests.size()));
  bench.loop.run_ready();
  BOOST_TEST(client.order.size() == requests.size());
  BOOST_TEST(client.errors.size() == requests.size());
  for (const auto& [request, error] : client.errors)
    BOOST_TEST(error == 0);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(disks_of_a_loop_share_its_ring, Io, Backends) {
  BENCH_OR_RETURN()
  const auto one = bench.open(bench.image(4096, "one"));
  const auto two = bench.open(bench.image(4096, "two"));
  WaitingClient first(bench.loop, *one);
  WaitingClient second(bench.loop, *two);
  Bytes a = pattern(512, 1);
  Bytes b = pattern(512, 2);
  auto to_one = WaitingClient::transfer(Operation::Write, 0, a, 1);
  auto to_two = WaitingClient::transfer(Operation::Write, 0, b, 1);
  one->start(to_one);
  two->start(to_two);
  one->submit();
  two->submit();
  BOOST_TEST(first.wait(1));
  BOOST_TEST(second.wait(1));
  Bytes back(512);
  BOOST_TEST(second.read(0, back) == 0);
  BOOST_TEST((back == b));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(zeroes_and_holes, Io, Backends) {
  BENCH_OR_RETURN()
  const auto path = bench.image(4U << 20);
  const auto store = bench.open(path);
  WaitingClient client(bench.loop, *store);
  BOOST_TEST(client.write(0, Bytes(4U << 20, std::byte{7})) == 0);
  Request zero;
  zero.operation = Operation::WriteZeroes;
  zero.durable = true;
  zero.offset = 512;
  zero.length = (3U << 20) + 512;
  BOOST_TEST(client.run(zero) == 0);
  if (store->info().discard) BOOST_TEST(client.run(Operation::Discard, 3670016, 65536) == 0);
  const auto now = bench.content(path);
  BOOST_REQUIRE(now.size() == 4U << 20);
  BOOST_CHECK(now[511] == std::byte{7});
  BOOST_CHECK(std::all_of(now.begin() + 512, now.begin() + 512 + (3U << 20) + 512,
                          [](std::byte one) { return one == std::byte{0}; }));
  BOOST_CHECK(now[512 + (3U << 20) + 512] == std::byte{7});
  if (!store->info().discard) return;
  BOOST_CHECK(now[3670016] == std::byte{0});
  struct stat status {};
  BOOST_REQUIRE(::stat(path.c_str(), &status) == 0);
  BOOST_TEST(status.st_blocks * 512 < (4 << 20));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(random_requests_agree_with_an_oracle, Io, Backends) {
  BENCH_OR_RETURN()
  const auto store = bench.open(bench.image(1U << 20));
  for (const unsigned seed : {1U, 2U})
    compare_with_oracle(bench.loop, *store, seed, 150);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_file_that_shrank_is_an_io_error, Io, Backends) {
  BENCH_OR_RETURN()
  const auto path = bench.image(8192);
  const auto store = bench.open(path);
  WaitingClient client(bench.loop, *store);
  std::filesystem::resize_file(path, 1024);
  Bytes data(2048);
  BOOST_TEST(client.read(0, data) == EIO);
  BOOST_TEST(client.read(4096, data) == EIO);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(what_is_out_of_range_fails_in_its_turn, Io, Backends) {
  BENCH_OR_RETURN()
  const auto store = bench.open(bench.image(4096));
  WaitingClient client(bench.loop, *store);
  Bytes data(1024);
  BOOST_TEST(client.read(3584, data) == EINVAL);
  BOOST_TEST(client.read(UINT64_MAX - 511, data) == EINVAL);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_read_only_disk_is_not_written, Io, Backends) {
  BENCH_OR_RETURN()
  const auto path = bench.image(4096);
  const auto store = bench.open(path, true);
  BOOST_TEST(store->info().read_only);
  BOOST_TEST(!store->info().write_zeroes);
  WaitingClient client(bench.loop, *store);
  BOOST_TEST(client.write(0, pattern(512, 1)) == EBADF);
  BOOST_TEST(client.run(Operation::WriteZeroes, 0, 512) == EBADF);
  BOOST_TEST(client.run(Operation::Discard, 0, 512) == EBADF);
  BOOST_TEST((bench.content(path) == Bytes(4096)));
}

BOOST_AUTO_TEST_CASE_TEMPLATE(closing_waits_for_what_is_in_flight, Io, Backends) {
  BENCH_OR_RETURN()
  const auto path = bench.image(1U << 20);
  const auto store = bench.open(path);
  WaitingClient client(bench.loop, *store);
  Bytes data(1U << 20, std::byte{1});
  auto request = WaitingClient::transfer(Operation::Write, 0, data, 8);
  store->start(request);
  bool closed = false;
  store->close([&] {
    closed = true;
    BOOST_TEST(client.order.size() == 1U);
  });
  BOOST_TEST(!closed);
  store->submit();
  BOOST_TEST(bench.loop.run_until([&] { return closed; }));
  BOOST_TEST(client.errors.at(&request) == 0);
  BOOST_TEST(client.run(Operation::Flush) == ESHUTDOWN);
  // The lock is gone with it.
  BOOST_TEST(RawStore::open(path, false, bench.io).ok());
}

BOOST_AUTO_TEST_CASE_TEMPLATE(a_store_that_goes_waits_for_the_kernel, Io, Backends) {
  BENCH_OR_RETURN()
  const auto path = bench.image(4U << 20);
  auto store = bench.open(path);
  WaitingClient client(bench.loop, *store);
  Bytes data(4U << 20, std::byte{9});
  auto request = WaitingClient::transfer(Operation::Write, 0, data, 8);
  store->start(request);
  store.reset();
  BOOST_TEST(client.order.empty());
  BOOST_TEST((bench.content(path) == data));
  bench.loop.run_ready();
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(block_image_file)

BOOST_AUTO_TEST_CASE(a_second_writer_is_kept_out_and_the_error_names_the_file) {
  const tests::ScratchDir directory;
  const auto path = directory.file("disk", std::string(4096, 'x'));
  const auto first = open_image(path, false);
  BOOST_REQUIRE(first.ok());
  for (const bool read_only : {false, true}) {
    const auto second = open_image(path, read_only);
    BOOST_REQUIRE(!second.ok());
    BOOST_CHECK(second.error().code() == ErrorCode::ResourceExhausted);
    BOOST_TEST(second.error().message().find(path.string()) != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(readers_share_an_image_and_keep_writers_out) {
  const tests::ScratchDir directory;
  const auto path = directory.file("disk", std::string(4096, 'x'));
  const auto first = open_image(path, true);
  const auto second = open_image(path, true);
  BOOST_TEST(first.ok());
  BOOST_TEST(second.ok());
  BOOST_TEST(!open_image(path, false).ok());
}

BOOST_AUTO_TEST_CASE(the_tail_of_an_odd_file_is_not_offered) {
  const tests::ScratchDir directory;
  const auto image = open_image(directory.file("disk", std::string(1500, 'x')), false);
  BOOST_TEST(image.value().info.size == 1024U);
  BOOST_TEST((::fcntl(image.value().fd.get(), F_GETFD) & FD_CLOEXEC) != 0);
  const auto small = open_image(directory.file("small", std::string(511, 'x')), false);
  BOOST_REQUIRE(!small.ok());
  BOOST_CHECK(small.error().code() == ErrorCode::InvalidConfig);
}

BOOST_AUTO_TEST_CASE(what_is_no_image_is_refused) {
  const tests::ScratchDir directory;
  const auto code = [](const std::filesystem::path& path, bool read_only) {
    const auto image = open_image(path, read_only);
    BOOST_REQUIRE(!image.ok());
    BOOST_TEST(image.error().message().find(path.string()) != std::string::npos);
    return image.error().code();
  };
  BOOST_CHECK(code(directory.path() / "absent", false) == ErrorCode::NotFound);
  BOOST_CHECK(code(directory.path(), true) == ErrorCode::InvalidConfig);
  BOOST_CHECK(code("/dev/null", true) == ErrorCode::InvalidConfig);
  const auto fifo = directory.path() / "fifo";
  BOOST_REQUIRE(::mkfifo(fifo.c_str(), 0600) == 0);
  BOOST_CHECK(code(fifo, true) == ErrorCode::InvalidConfig);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::block::test
