#include <boost/test/unit_test.hpp>
#include <tests/unit/fs/fuse_client.hpp>

namespace capsa::virtio::fs::test {
namespace {

Answer init(FuseClient& client, std::uint32_t major, std::uint32_t minor, std::uint32_t flags,
            std::uint32_t flags2 = 0) {
  fuse_init_in in{};
  in.major = major;
  in.minor = minor;
  in.max_readahead = 131072;
  in.flags = flags;
  in.flags2 = flags2;
  return client.call(FUSE_INIT, 0, Args().put(in));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(fs_operations_session)

BOOST_AUTO_TEST_CASE(the_lower_minor_version_is_agreed_on) {
  Bench bench;
  for (const std::uint32_t minor : {31U, 36U, 38U, 45U}) {
    const auto out = init(*bench.client, 7, minor, 0).as<fuse_init_out>();
    BOOST_TEST(out.major == 7U);
    BOOST_TEST(out.minor == std::min(minor, 38U));
    BOOST_TEST(out.max_write == 1U << 20);
    BOOST_TEST(out.max_readahead == 131072U);
    BOOST_TEST(out.time_gran == 1U);
  }
}

BOOST_AUTO_TEST_CASE(a_newer_major_version_is_asked_to_come_down) {
  Bench bench;
  const auto out = init(*bench.client, 8, 0, 0).as<fuse_init_out>();
  BOOST_TEST(out.major == 7U);
  BOOST_TEST(out.minor == 38U);
}

BOOST_AUTO_TEST_CASE(versions_without_virtio_fs_are_refused) {
  Bench bench;
  BOOST_TEST(init(*bench.client, 6, 40, 0).error == EPROTO);
  BOOST_TEST(init(*bench.client, 7, 30, 0).error == EPROTO);
}

BOOST_AUTO_TEST_CASE(only_offered_flags_are_agreed_on) {
  Bench bench;
  BOOST_TEST(init(*bench.client, 7, 38, 0).as<fuse_init_out>().flags == 0U);
  const std::uint32_t all = 0x7FFFFFFF;
  const auto out = init(*bench.client, 7, 38, all, 0xFFFFFFFF).as<fuse_init_out>();
  for (const std::uint32_t wanted :
       {FUSE_ASYNC_READ, FUSE_BIG_WRITES, FUSE_PARALLEL_DIROPS, FUSE_DO_READDIRPLUS,
        FUSE_READDIRPLUS_AUTO, FUSE_ATOMIC_O_TRUNC, FUSE_HANDLE_KILLPRIV_V2, FUSE_MAX_PAGES}) {
    BOOST_TEST((out.flags & wanted) != 0U, wanted);
  }
  for (const std::uint32_t unwanted :
       {FUSE_WRITEBACK_CACHE, FUSE_EXPORT_SUPPORT, FUSE_POSIX_LOCKS, FUSE_FLOCK_LOCKS,
        FUSE_POSIX_ACL, FUSE_DONT_MASK, FUSE_NO_OPEN_SUPPORT, FUSE_SETXATTR_EXT,
        FUSE_MAP_ALIGNMENT}) {
    BOOST_TEST((out.flags & unwanted) == 0U, unwanted);
  }
  BOOST_TEST(out.flags2 == 0U);
}

BOOST_AUTO_TEST_CASE(a_guest_before_killpriv_v2_is_offered_the_first_form) {
  Bench bench;
  BOOST_TEST(init(*bench.client, 7, 31, FUSE_HANDLE_KILLPRIV).as<fuse_init_out>().flags ==
             static_cast<unsigned>(FUSE_HANDLE_KILLPRIV));
}

BOOST_AUTO_TEST_CASE(an_uncached_share_allows_mappings_of_direct_files) {
  ShareConfig config = Bench::writable();
  config.cache = CachePolicy::None;
  Bench bench(config);
  const auto out = init(*bench.client, 7, 38, FUSE_INIT_EXT, 1U << 4).as<fuse_init_out>();
  BOOST_TEST(out.flags2 == 1U << 4);
}

BOOST_AUTO_TEST_CASE(the_short_init_of_older_kernels_is_understood) {
  Bench bench;
  const std::uint32_t in[4] = {7, 31, 4096, FUSE_MAX_PAGES};
  const Answer answer = bench.client->call(FUSE_INIT, 0, Args().put(in));
  BOOST_TEST(answer.error == 0);
  BOOST_TEST(answer.as<fuse_init_out>().max_pages == 256U);
}

BOOST_AUTO_TEST_CASE(before_init_nothing_is_served) {
  Bench bench;
  bench.file("a", "a");
  bench.client->lookup(1, "a");
  BOOST_TEST(bench.client->call(FUSE_DESTROY, 0).error == 0);
  BOOST_TEST(bench.client->try_lookup(1, "a").error == EIO);
  bench.client->init();
  BOOST_TEST(bench.client->try_lookup(1, "a").error == 0);
}

BOOST_AUTO_TEST_CASE(destroy_and_a_second_init_forget_everything) {
  Bench bench;
  bench.file("a", "a");
  const auto node = bench.client->lookup(1, "a").nodeid;
  bench.client->open(node, 0);
  bench.client->init();
  BOOST_TEST(bench.server->known_inodes() == 1U);
  BOOST_TEST(bench.server->open_handles() == 0U);
  BOOST_TEST(bench.client->call(FUSE_GETATTR, node, Args().put(fuse_getattr_in{})).error == ESTALE);
  BOOST_TEST(bench.client->lookup(1, "a").nodeid != node);
}

BOOST_AUTO_TEST_CASE(statfs_tells_of_the_hosts_file_system) {
  Bench bench;
  const auto out = bench.client->call(FUSE_STATFS, 1).as<fuse_statfs_out>();
  BOOST_TEST(out.st.bsize > 0U);
  BOOST_TEST(out.st.blocks > 0U);
  BOOST_TEST(out.st.namelen == 255U);
}

BOOST_AUTO_TEST_CASE(syncfs_and_interrupt_are_understood) {
  Bench bench;
  BOOST_TEST(bench.client->call(FUSE_SYNCFS, 1, Args().put(fuse_syncfs_in{})).error == 0);
  BOOST_TEST(!bench.client->call(FUSE_INTERRUPT, 0, Args().put(fuse_interrupt_in{7})).given);
}

BOOST_AUTO_TEST_CASE(what_does_not_exist_here_is_enosys) {
  Bench bench;
  for (const std::uint32_t opcode : {0U, 7U, 19U, 31U, 32U, 33U, 37U, 39U, 40U, 41U, 48U, 49U, 51U,
                                     52U, 4096U, 436207616U, 0xFFFFFFFFU}) {
    BOOST_TEST(bench.client->call(opcode, 1, Args().raw(std::string(64, '\0'))).error == ENOSYS,
               opcode);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::virtio::fs::test
