#include <fcntl.h>
#include <linux/falloc.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <tests/unit/fs/fuse_client.hpp>

namespace capsa::virtio::fs::test {
namespace {

struct OpenBench : Bench {
  explicit OpenBench(const std::string& initial = {}, std::uint32_t flags = O_RDWR) {
    file("a", initial);
    node = client->walk({"a"});
    handle = client->open(node, flags);
  }
  Answer lseek(std::uint64_t offset, std::uint32_t whence) {
    fuse_lseek_in in{};
    in.fh = handle;
    in.offset = offset;
    in.whence = whence;
    return client->call(FUSE_LSEEK, node, Args().put(in));
  }
  Answer fallocate(std::uint64_t offset, std::uint64_t length, std::uint32_t mode) {
    fuse_fallocate_in in{};
    in.fh = handle;
    in.offset = offset;
    in.length = length;
    in.mode = mode;
    return client->call(FUSE_FALLOCATE, node, Args().put(in));
  }

  std::uint64_t node = 0;
  std::uint64_t handle = 0;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(fs_operations_io)

BOOST_AUTO_TEST_CASE(reads_end_where_the_file_ends) {
  OpenBench bench("hello");
  BOOST_TEST(bench.client->read(bench.handle, 0, 4).text() == "hell");
  BOOST_TEST(bench.client->read(bench.handle, 2, 100).text() == "llo");
  BOOST_TEST(bench.client->read(bench.handle, 5, 100).text().empty());
  BOOST_TEST(bench.client->read(bench.handle, 1ULL << 40, 100).text().empty());
  BOOST_TEST(bench.client->read(999, 0, 4).error == EBADF);
}

BOOST_AUTO_TEST_CASE(a_read_gives_no_more_than_there_is_room_for) {
  OpenBench bench("hello");
  fuse_read_in in{};
  in.fh = bench.handle;
  in.size = 5;
  BOOST_TEST(bench.client->call(FUSE_READ, bench.node, Args().put(in), 3).text() == "hel");
  BOOST_TEST(bench.client->call(FUSE_READ, bench.node, Args().put(in), 0).text().empty());
}

BOOST_AUTO_TEST_CASE(a_megabyte_goes_through_in_one_piece) {
  OpenBench bench;
  std::string large(1 << 20, '\0');
  for (std::size_t i = 0; i < large.size(); ++i)
    large[i] = static_cast<char>(i * 7 + i / 251);
  BOOST_TEST(bench.client->write(bench.handle, 3, large).as<fuse_write_out>().size == 1U << 20);
  BOOST_TEST((bench.client->read(bench.handle, 3, 1 << 20).text() == large));
}

BOOST_AUTO_TEST_CASE(offsets_beyond_4_gib_are_reached) {
  OpenBench bench;
  const std::uint64_t far = (6ULL << 30) + 123;
  BOOST_TEST(bench.client->write(bench.handle, far, "there").error == 0);
  BOOST_TEST(bench.client->read(bench.handle, far, 10).text() == "there");
  BOOST_TEST(bench.client->getattr(bench.node).size == far + 5);
}

BOOST_AUTO_TEST_CASE(offsets_and_sizes_that_no_file_has_are_refused) {
  OpenBench bench("hello");
  BOOST_TEST(bench.client->read(bench.handle, ~0ULL, 1).error == EINVAL);
  BOOST_TEST(bench.client->read(bench.handle, 1ULL << 63, 1).error == EINVAL);
  BOOST_TEST(bench.client->read(bench.handle, (1ULL << 63) - 1, 1).error == EINVAL);
  BOOST_TEST(bench.client->read(bench.handle, 0, 0xFFFFFFFF).error == EINVAL);
  BOOST_TEST(bench.client->write(bench.handle, ~0ULL, "x").error == EFBIG);
  BOOST_TEST(bench.client->write(bench.handle, (1ULL << 63) - 1, "x").error == EFBIG);
  BOOST_TEST(bench.content("a") == "hello");
}

BOOST_AUTO_TEST_CASE(a_write_must_bring_what_it_announces) {
  OpenBench bench("hello");
  fuse_write_in in{};
  in.fh = bench.handle;
  in.size = 4;
  BOOST_TEST(bench.client->call(FUSE_WRITE, bench.node, Args().put(in).raw("abc")).error == EINVAL);
  in.size = 0xFFFFFFFF;
  BOOST_TEST(bench.client->call(FUSE_WRITE, bench.node, Args().put(in).raw("abc")).error == EINVAL);
  in.size = 2;
  BOOST_TEST(bench.client->call(FUSE_WRITE, bench.node, Args().put(in).raw("abc")).error == 0);
  BOOST_TEST(bench.content("a") == "abllo");
}

BOOST_AUTO_TEST_CASE(appending_ignores_the_offset_unless_a_mapped_page_is_written_back) {
  OpenBench bench("hello", O_WRONLY | O_APPEND);
  BOOST_TEST(bench.client->write(bench.handle, 0, "+1", O_WRONLY | O_APPEND).error == 0);
  BOOST_TEST(bench.content("a") == "hello+1");
  BOOST_TEST(
      bench.client->write(bench.handle, 0, "J", O_WRONLY | O_APPEND, FUSE_WRITE_CACHE).error == 0);
  BOOST_TEST(bench.content("a") == "Jello+1");
}

BOOST_AUTO_TEST_CASE(handles_do_what_they_were_opened_for) {
  OpenBench reader("hello", O_RDONLY);
  BOOST_TEST(reader.client->write(reader.handle, 0, "x").error == EBADF);
  OpenBench writer("hello", O_WRONLY);
  BOOST_TEST(writer.client->read(writer.handle, 0, 1).error == EBADF);
}

BOOST_AUTO_TEST_CASE(flush_and_fsync_reach_the_file) {
  OpenBench bench("hello");
  fuse_flush_in flush{};
  flush.fh = bench.handle;
  BOOST_TEST(bench.client->call(FUSE_FLUSH, bench.node, Args().put(flush)).error == 0);
  BOOST_TEST(bench.client->read(bench.handle, 0, 1).error == 0);
  for (const std::uint32_t flags : {0U, FUSE_FSYNC_FDATASYNC + 0U}) {
    const Args args = Args().put(fuse_fsync_in{bench.handle, flags, 0});
    BOOST_TEST(bench.client->call(FUSE_FSYNC, bench.node, args).error == 0);
  }
  flush.fh = 999;
  BOOST_TEST(bench.client->call(FUSE_FLUSH, bench.node, Args().put(flush)).error == EBADF);
  const Args unknown = Args().put(fuse_fsync_in{999, 0, 0});
  BOOST_TEST(bench.client->call(FUSE_FSYNC, bench.node, unknown).error == EBADF);
}

BOOST_AUTO_TEST_CASE(holes_and_data_are_found) {
  OpenBench bench;
  bench.client->write(bench.handle, 1 << 20, "data");
  BOOST_TEST(bench.lseek(0, SEEK_DATA).as<fuse_lseek_out>().offset == 1U << 20);
  BOOST_TEST(bench.lseek(0, SEEK_HOLE).as<fuse_lseek_out>().offset == 0U);
  BOOST_TEST(bench.lseek(2 << 20, SEEK_DATA).error == ENXIO);
  BOOST_TEST(bench.lseek(~0ULL, SEEK_DATA).error == ENXIO);
  BOOST_TEST(bench.lseek(0, SEEK_SET).error == EINVAL);
  BOOST_TEST(bench.lseek(0, 99).error == EINVAL);
}

BOOST_AUTO_TEST_CASE(fallocate_allocates_and_punches) {
  OpenBench bench("hello world");
  BOOST_TEST(bench.fallocate(0, 100, FALLOC_FL_KEEP_SIZE).error == 0);
  BOOST_TEST(bench.client->getattr(bench.node).size == 11U);
  BOOST_TEST(bench.fallocate(0, 100, 0).error == 0);
  BOOST_TEST(bench.client->getattr(bench.node).size == 100U);
  BOOST_TEST(bench.fallocate(0, 5, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE).error == 0);
  BOOST_TEST(bench.client->read(bench.handle, 0, 7).text() == std::string("\0\0\0\0\0 w", 7));
  BOOST_TEST(bench.fallocate(0, 4096, FALLOC_FL_COLLAPSE_RANGE).error == EOPNOTSUPP);
  BOOST_TEST(bench.fallocate(0, 4096, 1U << 31).error == EOPNOTSUPP);
  BOOST_TEST(bench.fallocate(~0ULL, 1, 0).error == EFBIG);
  BOOST_TEST(bench.fallocate(0, 0, 0).error == EINVAL);
}

BOOST_AUTO_TEST_CASE(ranges_are_copied_between_files) {
  OpenBench bench("hello world");
  bench.file("b", "");
  const auto other = bench.client->walk({"b"});
  fuse_copy_file_range_in in{};
  in.fh_in = bench.handle;
  in.off_in = 6;
  in.nodeid_out = other;
  in.fh_out = bench.client->open(other, O_WRONLY);
  in.len = ~0ULL;
  const auto copy = [&] {
    return bench.client->call(FUSE_COPY_FILE_RANGE, bench.node, Args().put(in));
  };
  BOOST_TEST(copy().as<fuse_write_out>().size == 5U);
  BOOST_TEST(bench.content("b") == "world");
  in.flags = 1;
  BOOST_TEST(copy().error == EINVAL);
  in.flags = 0;
  in.off_out = ~0ULL;
  BOOST_TEST(copy().error == EINVAL);
  in.fh_out = 999;
  BOOST_TEST(copy().error == EBADF);
}

BOOST_AUTO_TEST_CASE(a_file_size_limit_of_this_process_fails_the_write_and_ends_nothing) {
  OpenBench bench;
  const pid_t child = ::fork();
  if (child == 0) {
    const rlimit limit{4096, 4096};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    ::signal(SIGXFSZ, SIG_DFL);
    bench.restart(Bench::writable());
    bench.node = bench.client->walk({"a"});
    bench.handle = bench.client->open(bench.node, O_RDWR);
    const bool refused = bench.client->write(bench.handle, 4096, "x").error == EFBIG &&
                         bench.fallocate(0, 1 << 20, 0).error == EFBIG;
    fuse_setattr_in in{};
    in.valid = FATTR_SIZE;
    in.size = 1 << 20;
    ::_exit(refused && bench.client->setattr(bench.node, in).error == EFBIG ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  BOOST_TEST(WIFEXITED(status));
  BOOST_TEST(WEXITSTATUS(status) == 0);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::virtio::fs::test
