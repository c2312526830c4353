#include <fcntl.h>
#include <unistd.h>

#include <backends/virtio/fs/access_policy.hpp>
#include <boost/test/unit_test.hpp>

namespace capsa::virtio::fs::test {
namespace {

AccessPolicy squash(bool read_only = false) {
  return AccessPolicy::create(Ownership::Squash, read_only).value();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(fs_access_policy)

BOOST_AUTO_TEST_CASE(the_host_user_is_root_and_everybody_else_nobody) {
  const AccessPolicy policy = squash();
  BOOST_TEST(policy.shown_user(::geteuid()) == 0U);
  BOOST_TEST(policy.shown_group(::getegid()) == 0U);
  BOOST_TEST(policy.shown_user(::geteuid() + 1) == 65534U);
  BOOST_TEST(policy.shown_group(::getegid() + 1) == 65534U);
}

BOOST_AUTO_TEST_CASE(a_squashed_guest_has_a_name_for_one_owner_only) {
  const AccessPolicy policy = squash();
  struct statx mine {};
  mine.stx_uid = ::geteuid();
  mine.stx_gid = ::getegid();
  const auto same = policy.change_owner(mine, 0, 0);
  BOOST_REQUIRE(static_cast<bool>(same));
  BOOST_TEST((!same->user && !same->group));
  BOOST_TEST(policy.change_owner(mine, 1000, std::nullopt).error() == EPERM);
  BOOST_TEST(policy.change_owner(mine, std::nullopt, 1000).error() == EPERM);
  BOOST_TEST(policy.change_owner(mine, 65534, std::nullopt).error() == EPERM);

  struct statx foreign = mine;
  foreign.stx_uid = ::geteuid() + 1;
  BOOST_TEST(!policy.change_owner(foreign, 65534, std::nullopt)->user.has_value());
  BOOST_TEST(policy.change_owner(foreign, 0, std::nullopt)->user.value() == ::geteuid());
}

BOOST_AUTO_TEST_CASE(set_id_bits_are_taken_off_files_and_not_off_directories) {
  const AccessPolicy policy = squash();
  BOOST_TEST(policy.permitted_mode(S_IFREG | 06755, false) == 0755U);
  BOOST_TEST(policy.permitted_mode(S_IFDIR | 02775, true) == 02775U);
}

BOOST_AUTO_TEST_CASE(of_the_flags_of_an_open_only_known_ones_reach_the_host) {
  const AccessPolicy policy = squash();
  BOOST_TEST(*policy.open_flags(O_RDWR | O_TRUNC | O_DSYNC) == (O_RDWR | O_TRUNC | O_DSYNC));
  BOOST_TEST(*policy.open_flags(O_WRONLY | O_APPEND | O_DIRECT | O_CREAT | O_EXCL | O_PATH |
                                O_TMPFILE | O_ASYNC | O_NONBLOCK | O_NOFOLLOW | 0x8000'0000U) ==
             O_WRONLY);
  BOOST_TEST(policy.open_flags(O_ACCMODE).error() == EINVAL);
}

BOOST_AUTO_TEST_CASE(a_read_only_share_opens_nothing_for_writing) {
  const AccessPolicy policy = squash(true);
  BOOST_TEST(static_cast<bool>(policy.open_flags(O_RDONLY)));
  BOOST_TEST(policy.open_flags(O_WRONLY).error() == EROFS);
  BOOST_TEST(policy.open_flags(O_RDWR).error() == EROFS);
  BOOST_TEST(policy.open_flags(O_RDONLY | O_TRUNC).error() == EROFS);
}

BOOST_AUTO_TEST_CASE(only_user_attributes_exist_for_a_squashed_guest) {
  const AccessPolicy policy = squash();
  BOOST_TEST(policy.check_xattr("user.a") == 0);
  for (const auto* name :
       {"security.capability", "trusted.a", "system.posix_acl_access", "user", "USER.a", "a"}) {
    BOOST_TEST(policy.check_xattr(name) == EOPNOTSUPP, name);
  }
}

BOOST_AUTO_TEST_CASE(access_is_judged_by_what_the_guest_is_shown) {
  const AccessPolicy policy = squash();
  struct statx stat {};
  stat.stx_uid = ::geteuid();
  stat.stx_gid = ::getegid();
  stat.stx_mode = S_IFREG | 0640;
  fuse_in_header request{};
  BOOST_TEST(policy.check_access(request, stat, R_OK | W_OK) == 0);
  BOOST_TEST(policy.check_access(request, stat, X_OK) == EACCES);
  request.uid = 1000;
  request.gid = 0;
  BOOST_TEST(policy.check_access(request, stat, R_OK) == 0);
  BOOST_TEST(policy.check_access(request, stat, W_OK) == EACCES);
  request.gid = 1000;
  BOOST_TEST(policy.check_access(request, stat, R_OK) == EACCES);
  BOOST_TEST(policy.check_access(request, stat, F_OK) == 0);
  BOOST_TEST(policy.check_access(request, stat, 8) == EINVAL);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::virtio::fs::test
