#include <sys/mount.h>

#include <boost/test/unit_test.hpp>

#include "served_agent.hpp"

using namespace capsa;
using namespace capsa::agent;
using namespace capsa::agent::test;

namespace {

result<void> remove(ServedAgent& agent, const std::string& path, bool recursive) {
  return ask<void>(agent,
                   [&](auto done) { agent.session().remove(path, recursive, std::move(done)); });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(agent_remove)

BOOST_AUTO_TEST_CASE(a_file_and_an_empty_directory_are_removed) {
  ServedAgent agent;
  ScratchDir dir;
  put(dir / "f", "x");
  std::filesystem::create_directory(dir / "d");
  BOOST_TEST(remove(agent, dir / "f", false).ok());
  BOOST_TEST(remove(agent, dir / "d", false).ok());
  BOOST_TEST(std::filesystem::is_empty(dir.path()));
  BOOST_TEST(remove(agent, dir / "f", true).error().guest_errno() == ENOENT);
}

BOOST_AUTO_TEST_CASE(a_full_directory_is_removed_only_on_request) {
  ServedAgent agent;
  ScratchDir dir;
  std::filesystem::create_directories(dir / "d/e");
  for (int i = 0; i < 1000; ++i)
    put(dir / ("d/e/" + std::to_string(i)), "");
  BOOST_TEST(remove(agent, dir / "d", false).error().guest_errno() == ENOTEMPTY);
  BOOST_TEST(remove(agent, dir / "d/", true).ok());
  BOOST_TEST(std::filesystem::is_empty(dir.path()));
}

BOOST_AUTO_TEST_CASE(symlinks_are_removed_and_not_followed) {
  ServedAgent agent;
  ScratchDir dir;
  std::filesystem::create_directories(dir / "precious");
  put(dir / "precious/f", "x");
  std::filesystem::create_directories(dir / "d");
  std::filesystem::create_symlink("../precious", dir / "d/link");
  std::filesystem::create_symlink("precious", dir / "toplink");
  BOOST_TEST(remove(agent, dir / "d", true).ok());
  BOOST_TEST(remove(agent, dir / "toplink", true).ok());
  BOOST_TEST(contents(dir / "precious/f") == "x");
  BOOST_TEST(!std::filesystem::is_symlink(dir / "toplink"));
}

BOOST_AUTO_TEST_CASE(a_deep_tree_is_removed) {
  ServedAgent agent;
  ScratchDir dir;
  std::string path = "deep";
  for (int i = 0; i < 500; ++i)
    path += "/d";
  std::filesystem::create_directories(dir / path);
  BOOST_TEST(remove(agent, dir / "deep", true).ok());
  BOOST_TEST(std::filesystem::is_empty(dir.path()));
}

BOOST_AUTO_TEST_CASE(the_root_and_mount_points_are_not_removed) {
  ServedAgent agent;
  BOOST_TEST(remove(agent, "/", true).error().guest_errno() == EBUSY);
  BOOST_TEST(remove(agent, "/proc", true).error().guest_errno() == EBUSY);
}

BOOST_AUTO_TEST_CASE(what_is_mounted_below_is_left_untouched) {
  ServedAgent agent;
  ScratchDir dir;
  std::filesystem::create_directories(dir / "d/share");
  if (::mount("tmpfs", (dir / "d/share").c_str(), "tmpfs", 0, nullptr) < 0) {
    BOOST_TEST_MESSAGE("skipped: may not mount here");
    return;
  }
  put(dir / "d/share/f", "x");
  BOOST_TEST(remove(agent, dir / "d", true).error().guest_errno() == EBUSY);
  BOOST_TEST(contents(dir / "d/share/f") == "x");
  ::umount((dir / "d/share").c_str());
}

BOOST_AUTO_TEST_SUITE_END()
