#include <backends/virtio/fs/config.hpp>
#include <boost/test/unit_test.hpp>
#include <tests/unit/fs/fuse_client.hpp>

namespace capsa::virtio::fs::test {
namespace {

ErrorCode refusal(const ShareConfig& config) {
  const auto server = FuseServer::create(config);
  BOOST_REQUIRE(!server);
  BOOST_TEST(!server.error().message().empty());
  return server.error().code();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(fs_fuse_server)

BOOST_AUTO_TEST_CASE(a_directory_that_cannot_be_shared_is_refused_by_name) {
  Bench bench;
  ShareConfig config = Bench::writable();
  config.host_path = bench.scratch.path() / "missing";
  BOOST_TEST((refusal(config) == ErrorCode::NotFound));
  BOOST_TEST(FuseServer::create(config).error().message().find("missing") != std::string::npos);
  config.host_path = bench.secret();
  BOOST_TEST((refusal(config) == ErrorCode::NotFound));
  config.host_path = "relative";
  BOOST_TEST((refusal(config) == ErrorCode::InvalidConfig));
}

BOOST_AUTO_TEST_CASE(too_few_descriptors_are_refused) {
  Bench bench;
  ShareConfig config = Bench::writable();
  config.host_path = bench.share();
  config.max_open_fds = kMinOpenFds - 1;
  BOOST_TEST((refusal(config) == ErrorCode::InvalidConfig));
  config.max_open_fds = 0;
  BOOST_TEST(FuseServer::create(config).value()->max_open_fds() >= kMinOpenFds);
}

BOOST_AUTO_TEST_CASE(the_shared_directory_itself_may_be_reached_by_a_link_of_the_host) {
  Bench bench;
  bench.file("a", "hello");
  std::filesystem::create_directory_symlink(bench.share(), bench.scratch.path() / "link");
  ShareConfig config = Bench::writable();
  config.host_path = bench.scratch.path() / "link";
  const auto server = FuseServer::create(config).value();
  FuseClient client(*server);
  client.init();
  BOOST_TEST(client.lookup(1, "a").attr.size == 5U);
}

BOOST_AUTO_TEST_CASE(reset_forgets_and_closes_everything) {
  Bench bench;
  bench.file("a", "");
  const auto node = bench.client->walk({"a"});
  bench.client->open(node, 0);
  bench.client->opendir(1);
  BOOST_TEST(bench.server->open_fds() == 5U);
  bench.server->reset();
  BOOST_TEST(bench.server->open_fds() == 2U);
  BOOST_TEST(bench.server->known_inodes() == 1U);
  BOOST_TEST(bench.server->open_handles() == 0U);
  BOOST_TEST(bench.client->try_lookup(1, "a").error == EIO);
}

BOOST_AUTO_TEST_CASE(what_cannot_be_answered_is_not_begun) {
  Bench bench;
  bench.file("a", "");
  const Bytes request = make_request(FUSE_UNLINK, 1, Args().text("a"));
  BOOST_TEST(!bench.server->handle({request, {}, {}, false}).header.has_value());
  BOOST_TEST(std::filesystem::exists(bench.share() / "a"));
}

BOOST_AUTO_TEST_CASE(a_reply_without_room_is_an_error_before_anything_is_done) {
  Bench bench;
  bench.file("a", "");
  for (const std::size_t room : {std::size_t{0}, sizeof(fuse_entry_out) - 1}) {
    const Answer looked_up = bench.client->call(FUSE_LOOKUP, 1, Args().text("a"), room);
    BOOST_TEST(looked_up.error == EIO);
    const Answer made =
        bench.client->call(FUSE_MKDIR, 1, Args().put(fuse_mkdir_in{0755, 0}).text("d"), room);
    BOOST_TEST(made.error == EIO);
  }
  BOOST_TEST(bench.server->known_inodes() == 1U);
  BOOST_TEST(!std::filesystem::exists(bench.share() / "d"));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::virtio::fs::test
