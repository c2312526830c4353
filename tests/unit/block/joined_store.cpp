#include <backends/block/io_ring.hpp>
#include <backends/block/io_threads.hpp>
#include <backends/block/joined_store.hpp>
#include <boost/mpl/list.hpp>
#include <fstream>
#include <random>
#include <tests/support/scratch_dir.hpp>
#include <tests/unit/block/store_client.hpp>

namespace capsa::block::test {
namespace {

template <class Io>
struct JoinedBench {
  JoinedBench() {
    auto made = Io::create(loop);
    if (made.ok()) io = *made;
  }
  /// A file of so many blocks, each another pattern.
  void add(std::size_t blocks) {
    const auto bytes = pattern(blocks * 4096, static_cast<unsigned>(files.size() * 50 + 3));
    const auto* text = reinterpret_cast<const char*>(bytes.data());
    files.push_back(directory.file(std::to_string(files.size()), {text, bytes.size()}));
    sizes.push_back(bytes.size());
    contents.insert(contents.end(), bytes.begin(), bytes.end());
  }
  std::unique_ptr<JoinedStore> open() { return JoinedStore::open(files, io).value(); }
  /// All of the disk.
  Bytes whole() const {
    const auto table = make_partition_table(sizes).value();
    Bytes all = table.head;
    all.insert(all.end(), contents.begin(), contents.end());
    all.insert(all.end(), table.tail.begin(), table.tail.end());
    return all;
  }

  tests::ScratchDir directory;
  tests::TestLoop loop;
  std::shared_ptr<FileIo> io;
  std::vector<std::filesystem::path> files;
  std::vector<std::uint64_t> sizes;
  Bytes contents;
};

using Backends = boost::mpl::list<IoRing, IoThreads>;

}  // namespace

// Where the host forbids io_uring there is nothing to test of it.
#define BENCH_OR_RETURN()                      \
  JoinedBench<Io> bench;                       \
  if (!bench.io) {                             \
    BOOST_TEST_MESSAGE("io_uring: forbidden"); \
    return;                                    \
  }

BOOST_AUTO_TEST_SUITE(block_joined_store)

BOOST_AUTO_TEST_CASE_TEMPLATE(files_are_partitions_between_the_table_and_its_copy, Io, Backends) {
  BENCH_OR_RETURN()
  for (const std::size_t blocks : {1U, 5U, 2U, 1U, 30U})
    bench.add(blocks);
  const auto store = bench.open();
  const auto wanted = bench.whole();
  BOOST_TEST(store->info().size == wanted.size());
  BOOST_TEST(store->info().read_only);
  WaitingClient client(bench.loop, *store);
  for (const std::size_t pieces : {1U, 2U, 7U, 100U}) {
    Bytes all(wanted.size());
    BOOST_TEST(client.read(0, all, pieces) == 0);
    BOOST_TEST((all == wanted));
  }
  store->attach(nullptr);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(reads_from_anywhere_to_anywhere_agree, Io, Backends) {
  BENCH_OR_RETURN()
  for (int i = 0; i < 12; ++i)
    bench.add(1 + static_cast<std::size_t>(i) % 3);
  const auto store = bench.open();
  const auto wanted = bench.whole();
  WaitingClient client(bench.loop, *store);
  std::mt19937 random(7);
  for (int round = 0; round < 300; ++round) {
    const std::size_t sectors = wanted.size() / kSectorSize;
    const std::size_t first = random() % sectors;
    const std::size_t count = 1 + random() % std::min<std::size_t>(sectors - first, 60);
    Bytes data(count * kSectorSize);
    BOOST_TEST(client.read(first * kSectorSize, data, 1 + random() % 9) == 0);
    BOOST_TEST(std::equal(data.begin(), data.end(),
                          wanted.begin() + static_cast<std::ptrdiff_t>(first * kSectorSize)));
  }
  store->attach(nullptr);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(it_is_not_written_and_ends_where_it_ends, Io, Backends) {
  BENCH_OR_RETURN()
  bench.add(1);
  const auto store = bench.open();
  WaitingClient client(bench.loop, *store);
  BOOST_TEST(client.write(20480, pattern(512, 1)) == EBADF);
  BOOST_TEST(client.run(Operation::WriteZeroes, 0, 512) == EBADF);
  BOOST_TEST(client.run(Operation::Discard, 0, 512) == EBADF);
  BOOST_TEST(client.run(Operation::Flush) == 0);
  BOOST_TEST(client.run(Operation::Nothing) == 0);
  Bytes data(1024);
  BOOST_TEST(client.read(store->info().size - 512, data) == EINVAL);
  BOOST_TEST(client.read(UINT64_MAX - 511, data) == EINVAL);
  store->attach(nullptr);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(files_may_lose_their_names_but_not_their_bytes, Io, Backends) {
  BENCH_OR_RETURN()
  bench.add(2);
  bench.add(2);
  const auto store = bench.open();
  const auto wanted = bench.whole();
  WaitingClient client(bench.loop, *store);
  std::filesystem::remove(bench.files[0]);
  std::filesystem::resize_file(bench.files[1], 4096);
  Bytes data(8192);
  BOOST_TEST(client.read(20480, data) == 0);
  BOOST_TEST(std::equal(data.begin(), data.end(), wanted.begin() + 20480));
  BOOST_TEST(client.read(20480 + 8192, data, 3) == EIO);
  store->attach(nullptr);
}

BOOST_AUTO_TEST_CASE_TEMPLATE(closing_waits_for_what_is_in_flight, Io, Backends) {
  BENCH_OR_RETURN()
  bench.add(4);
  const auto store = bench.open();
  WaitingClient client(bench.loop, *store);
  Bytes data(16384);
  auto request = WaitingClient::transfer(Operation::Read, 20480, data, 3);
  store->start(request);
  bool closed = false;
  store->close([&] { closed = true; });
  BOOST_TEST(!closed);
  store->submit();
  BOOST_TEST(bench.loop.run_until([&] { return closed; }));
  BOOST_TEST(client.errors.at(&request) == 0);
  BOOST_TEST(client.run(Operation::Flush) == ESHUTDOWN);
  store->attach(nullptr);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_a_partition_is_refused_by_name) {
  JoinedBench<IoThreads> bench;
  const auto refused = [&](const std::filesystem::path& path) {
    const auto opened = JoinedStore::open({path}, bench.io);
    BOOST_REQUIRE(!opened.ok());
    BOOST_TEST(opened.error().message().find(path.string()) != std::string::npos);
    return opened.error().code();
  };
  BOOST_CHECK(refused(bench.directory.path() / "absent") == ErrorCode::NotFound);
  BOOST_CHECK(refused(bench.directory.path()) == ErrorCode::InvalidConfig);
  BOOST_CHECK(refused(bench.directory.file("odd", std::string(4097, 'x'))) ==
              ErrorCode::InvalidConfig);
  BOOST_CHECK(refused(bench.directory.file("empty", "")) == ErrorCode::InvalidConfig);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::block::test
