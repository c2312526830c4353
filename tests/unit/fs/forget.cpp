#include <fcntl.h>
#include <boost/test/unit_test.hpp>
#include <tests/unit/fs/fuse_client.hpp>

namespace capsa::virtio::fs::test {

BOOST_AUTO_TEST_SUITE(fs_forget)

BOOST_AUTO_TEST_CASE(a_node_lives_until_all_its_lookups_are_taken_back) {
  Bench bench;
  bench.file("a", "");
  const auto node = bench.client->lookup(1, "a").nodeid;
  for (int i = 0; i < 4; ++i)
    bench.client->lookup(1, "a");
  BOOST_TEST(bench.server->lookups(node) == 5U);
  bench.client->forget(node, 4);
  BOOST_TEST(bench.client->getattr(node).nlink == 1U);
  bench.client->forget(node, 1);
  BOOST_TEST(bench.server->known_inodes() == 1U);
  BOOST_TEST(bench.client->call(FUSE_GETATTR, node, Args().put(fuse_getattr_in{})).error == ESTALE);
}

BOOST_AUTO_TEST_CASE(forgetting_more_than_there_were_ends_the_node_and_no_other) {
  Bench bench;
  bench.file("a", "");
  bench.file("b", "");
  const auto a = bench.client->lookup(1, "a").nodeid;
  const auto b = bench.client->lookup(1, "b").nodeid;
  bench.client->forget(a, ~0ULL);
  bench.client->forget(a, ~0ULL);
  BOOST_TEST(bench.server->known_inodes() == 2U);
  BOOST_TEST(bench.client->getattr(b).nlink == 1U);
  BOOST_TEST(bench.client->lookup(1, "a").nodeid != a);
}

BOOST_AUTO_TEST_CASE(the_root_and_unknown_nodes_are_not_forgotten) {
  Bench bench;
  for (const std::uint64_t node : {0ULL, 1ULL, 999ULL, ~0ULL}) {
    bench.client->forget(node, 1);
    bench.client->forget(node, ~0ULL);
    bench.client->forget(node, 0);
  }
  BOOST_TEST(bench.client->getattr(1).nlink >= 2U);
}

BOOST_AUTO_TEST_CASE(forgets_have_no_answer_even_where_malformed) {
  Bench bench;
  BOOST_TEST(!bench.client->call(FUSE_FORGET, 1, Args().put(fuse_forget_in{1})).given);
  BOOST_TEST(!bench.client->call(FUSE_FORGET, 1).given);
  BOOST_TEST(!bench.client->call(FUSE_BATCH_FORGET, 0).given);
}

BOOST_AUTO_TEST_CASE(a_batch_forgets_what_it_brings_whatever_it_announces) {
  Bench bench;
  bench.file("a", "");
  bench.file("b", "");
  const auto a = bench.client->lookup(1, "a").nodeid;
  const auto b = bench.client->lookup(1, "b").nodeid;
  const Args args = Args()
                        .put(fuse_batch_forget_in{0xFFFFFFFF, 0})
                        .put(fuse_forget_one{a, 1})
                        .put(fuse_forget_one{1, 1})
                        .put(fuse_forget_one{999, 1})
                        .put(fuse_forget_one{b, 1})
                        .raw("tail");
  BOOST_TEST(!bench.client->call(FUSE_BATCH_FORGET, 0, args).given);
  BOOST_TEST(bench.server->known_inodes() == 1U);
}

BOOST_AUTO_TEST_CASE(a_forgotten_file_that_is_open_stays_open) {
  Bench bench;
  bench.file("a", "hello");
  const auto node = bench.client->lookup(1, "a").nodeid;
  const auto handle = bench.client->open(node, O_RDONLY);
  bench.client->forget(node, 1);
  BOOST_TEST(bench.client->read(handle, 0, 5).text() == "hello");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::virtio::fs::test
