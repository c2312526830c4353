#include <sys/xattr.h>

#include <boost/test/unit_test.hpp>
#include <tests/unit/fs/fuse_client.hpp>

namespace capsa::virtio::fs::test {
namespace {

struct XattrBench : Bench {
  explicit XattrBench(ShareConfig config = writable()) : Bench(std::move(config)) {
    file("a", "");
    node = client->walk({"a"});
  }
  Answer set(std::string_view name, std::string_view value, std::uint32_t flags = 0) {
    const std::uint32_t in[2] = {static_cast<std::uint32_t>(value.size()), flags};
    return client->call(FUSE_SETXATTR, node, Args().put(in).text(name).raw(value));
  }
  Answer get(std::string_view name, std::uint32_t size, std::size_t room = FuseClient::kRoom) {
    return client->call(FUSE_GETXATTR, node, Args().put(fuse_getxattr_in{size, 0}).text(name),
                        room);
  }
  Answer list(std::uint32_t size) {
    return client->call(FUSE_LISTXATTR, node, Args().put(fuse_getxattr_in{size, 0}));
  }

  std::uint64_t node = 0;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(fs_operations_xattr)

BOOST_AUTO_TEST_CASE(user_attributes_are_set_read_listed_and_removed) {
  XattrBench bench;
  BOOST_TEST(bench.set("user.one", "value").error == 0);
  BOOST_TEST(bench.set("user.two", "").error == 0);
  BOOST_TEST(bench.get("user.one", 0).as<fuse_getxattr_out>().size == 5U);
  BOOST_TEST(bench.get("user.one", 5).text() == "value");
  BOOST_TEST(bench.get("user.one", 4).error == ERANGE);
  BOOST_TEST(bench.get("user.one", 5, 4).error == ERANGE);
  BOOST_TEST(bench.get("user.one", 0, 4).error == EIO);
  BOOST_TEST(bench.get("user.none", 5).error == ENODATA);
  const auto size = bench.list(0).as<fuse_getxattr_out>().size;
  BOOST_TEST(size == 18U);
  BOOST_TEST(bench.list(size).body.size() == size);
  BOOST_TEST(bench.list(size - 1).error == ERANGE);
  BOOST_TEST(bench.set("user.one", "x", XATTR_CREATE).error == EEXIST);
  BOOST_TEST(bench.set("user.new", "x", XATTR_REPLACE).error == ENODATA);
  BOOST_TEST(bench.client->call(FUSE_REMOVEXATTR, bench.node, Args().text("user.one")).error == 0);
  BOOST_TEST(bench.get("user.one", 5).error == ENODATA);
}

BOOST_AUTO_TEST_CASE(other_name_spaces_do_not_exist_for_a_squashed_guest) {
  XattrBench bench;
  ::setxattr((bench.share() / "a").c_str(), "trusted.host", "x", 1, 0);
  for (const auto* name : {"security.capability", "trusted.host", "system.posix_acl_access"}) {
    BOOST_TEST(bench.set(name, "x").error == EOPNOTSUPP, name);
    BOOST_TEST(bench.get(name, 100).error == EOPNOTSUPP, name);
    const Answer removed = bench.client->call(FUSE_REMOVEXATTR, bench.node, Args().text(name));
    BOOST_TEST(removed.error == EOPNOTSUPP, name);
  }
  BOOST_TEST(bench.list(0).as<fuse_getxattr_out>().size == 0U);
}

BOOST_AUTO_TEST_CASE(sizes_and_names_have_the_kernels_limits) {
  XattrBench bench;
  BOOST_TEST(bench.set("user.big", std::string(65537, 'x')).error == E2BIG);
  BOOST_TEST(bench.set("user." + std::string(251, 'x'), "x").error == ERANGE);
  BOOST_TEST(bench.set("", "x").error == EINVAL);
  BOOST_TEST(bench.set("user.a", "x", 4).error == EINVAL);
  // Announces more than it brings, or less.
  for (const std::uint32_t size : {0U, 2U, 0xFFFFU}) {
    const std::uint32_t in[2] = {size, 0};
    const Args args = Args().put(in).text("user.a").raw("x");
    BOOST_TEST(bench.client->call(FUSE_SETXATTR, bench.node, args).error == EINVAL);
  }
  BOOST_TEST(bench.get("user.a", 0).error == ENODATA);
}

BOOST_AUTO_TEST_CASE(attributes_of_a_symbolic_link_are_not_its_targets) {
  XattrBench bench;
  bench.set("user.one", "value");
  std::filesystem::create_symlink("a", bench.share() / "l");
  bench.node = bench.client->walk({"l"});
  BOOST_TEST(bench.get("user.one", 5).error != 0);
  BOOST_TEST(bench.set("user.two", "x").error == EPERM);
  BOOST_TEST(bench.list(0).as<fuse_getxattr_out>().size == 0U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::virtio::fs::test
