#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <backends/runtime_dir/runtime_dir.hpp>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <fstream>
#include <tests/support/scratch_dir.hpp>
#include <thread>
#include <vector>

using capsa::ErrorCode;
using capsa::runtime_base;
using capsa::RuntimeDir;
using capsa::tests::ScratchDir;
namespace fs = std::filesystem;

namespace {

mode_t mode_of(const fs::path& path) {
  struct stat what {};
  return ::lstat(path.c_str(), &what) == 0 ? what.st_mode & 07777 : 0;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(runtime_dir)

BOOST_AUTO_TEST_CASE(a_runtime_directory_is_private_and_goes_with_its_object) {
  const ScratchDir scratch;
  const auto base = scratch.path() / "capsa";
  fs::path where;
  {
    const auto made = RuntimeDir::create_in(base);
    BOOST_TEST_REQUIRE(made.ok());
    where = made->path();
    BOOST_TEST(where.parent_path() == base);
    BOOST_TEST(where.filename().string().starts_with(std::to_string(::getpid()) + "-"));
    BOOST_TEST(mode_of(base) == 0700u);
    BOOST_TEST(mode_of(where) == 0700u);
    const auto vm = made->vm_dir("web-1");
    BOOST_TEST_REQUIRE(vm.ok());
    BOOST_TEST(mode_of(*vm) == 0700u);
    std::ofstream(*vm / "file") << "x";
    BOOST_TEST(made->vm_dir("web-1").value() == *vm);
  }
  BOOST_TEST(!fs::exists(where));
  BOOST_TEST(fs::exists(base));
}

BOOST_AUTO_TEST_CASE(a_moved_directory_is_removed_once_and_by_its_last_owner) {
  const ScratchDir scratch;
  auto first = RuntimeDir::create_in(scratch.path() / "capsa");
  auto second = RuntimeDir::create_in(scratch.path() / "capsa");
  BOOST_TEST_REQUIRE((first.ok() && second.ok()));
  const auto one = first->path();
  const auto two = second->path();
  BOOST_TEST(one != two);
  *first = std::move(*second);
  BOOST_TEST(!fs::exists(one));
  BOOST_TEST(fs::exists(two));
  { const RuntimeDir last = std::move(*first); }
  BOOST_TEST(!fs::exists(two));
}

BOOST_AUTO_TEST_CASE(vm_ids_that_name_no_directory_are_refused) {
  const ScratchDir scratch;
  const auto made = RuntimeDir::create_in(scratch.path() / "capsa");
  BOOST_TEST_REQUIRE(made.ok());
  for (const std::string& id :
       {std::string(), std::string("."), std::string(".."), std::string("a/b"), std::string("a b"),
        std::string("a\0b", 3), std::string(65, 'x'), std::string("\xc3\xa4")}) {
    const auto refused = made->vm_dir(id);
    BOOST_TEST_REQUIRE(!refused.ok());
    BOOST_TEST((refused.error().code() == ErrorCode::InvalidConfig));
    made->remove_vm_dir(id);
  }
}

BOOST_AUTO_TEST_CASE(removal_follows_no_link) {
  const ScratchDir scratch;
  fs::create_directory(scratch.path() / "outside");
  std::ofstream(scratch.path() / "outside" / "precious") << "x";
  const auto made = RuntimeDir::create_in(scratch.path() / "capsa");
  BOOST_TEST_REQUIRE(made.ok());
  const auto vm = made->vm_dir("a").value();
  fs::create_symlink(scratch.path() / "outside", vm / "link");
  fs::create_directories(vm / "deep" / "er");
  fs::create_symlink("..", vm / "deep" / "er" / "up");
  made->remove_vm_dir("a");
  BOOST_TEST(!fs::exists(vm));
  fs::create_symlink(scratch.path() / "outside", made->path() / "vm-b");
  made->remove_vm_dir("b");
  BOOST_TEST(fs::exists(scratch.path() / "outside" / "precious"));
}

BOOST_AUTO_TEST_CASE(a_base_that_is_not_ours_alone_is_refused) {
  const ScratchDir scratch;
  const auto base = scratch.path() / "capsa";
  fs::create_directory(scratch.path() / "target");
  ::chmod((scratch.path() / "target").c_str(), 0700);
  fs::create_directory_symlink(scratch.path() / "target", base);
  BOOST_TEST((RuntimeDir::create_in(base).error().code() == ErrorCode::PermissionDenied));
  fs::remove(base);
  std::ofstream(base) << "file";
  BOOST_TEST((RuntimeDir::create_in(base).error().code() == ErrorCode::PermissionDenied));
  fs::remove(base);
  fs::create_directory(base);
  ::chmod(base.c_str(), 0750);
  BOOST_TEST((RuntimeDir::create_in(base).error().code() == ErrorCode::PermissionDenied));
  ::chmod(base.c_str(), 0700);
  BOOST_TEST(RuntimeDir::create_in(base).ok());
  if (::geteuid() == 0) {
    BOOST_TEST(::chown(base.c_str(), 65534, 65534) == 0);
    BOOST_TEST((RuntimeDir::create_in(base).error().code() == ErrorCode::PermissionDenied));
  }
}

BOOST_AUTO_TEST_CASE(the_base_follows_xdg_where_it_is_safe) {
  const ScratchDir scratch;
  const char* old = std::getenv("XDG_RUNTIME_DIR");
  const std::string kept = old != nullptr ? old : "";
  const fs::path fallback = "/tmp/capsa-" + std::to_string(::geteuid());
  ::setenv("XDG_RUNTIME_DIR", scratch.path().c_str(), 1);
  BOOST_TEST(runtime_base() == scratch.path() / "capsa");
  ::chmod(scratch.path().c_str(), 0777);
  BOOST_TEST(runtime_base() == fallback);
  ::setenv("XDG_RUNTIME_DIR", "relative", 1);
  BOOST_TEST(runtime_base() == fallback);
  ::unsetenv("XDG_RUNTIME_DIR");
  BOOST_TEST(runtime_base() == fallback);
  if (old != nullptr) ::setenv("XDG_RUNTIME_DIR", kept.c_str(), 1);
}

BOOST_AUTO_TEST_CASE(a_forked_child_does_not_remove_its_parents_directory) {
  const ScratchDir scratch;
  auto made = RuntimeDir::create_in(scratch.path() / "capsa");
  BOOST_TEST_REQUIRE(made.ok());
  const pid_t child = ::fork();
  if (child == 0) {
    { const RuntimeDir copy = std::move(*made); }
    ::_exit(0);
  }
  ::waitpid(child, nullptr, 0);
  BOOST_TEST(fs::exists(made->path() / "lock"));
}

BOOST_AUTO_TEST_CASE(many_threads_get_directories_of_their_own) {
  const ScratchDir scratch;
  std::vector<std::thread> threads;
  std::atomic<int> made{0};
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 20; ++round) {
        const auto one = RuntimeDir::create_in(scratch.path() / "capsa");
        if (one.ok() && one->vm_dir("a").ok()) ++made;
        const auto cleaned = capsa::clean_leftovers_in(scratch.path() / "capsa");
        if (cleaned.ok() && !cleaned->empty()) made = -1000;
        if (one.ok() && !fs::exists(one->path() / "lock")) made = -1000;
      }
    });
  }
  for (auto& thread : threads)
    thread.join();
  BOOST_TEST(made == 160);
}

BOOST_AUTO_TEST_SUITE_END()
