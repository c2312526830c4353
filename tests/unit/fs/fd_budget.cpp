#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <backends/virtio/fs/fd_budget.hpp>
#include <boost/test/unit_test.hpp>
#include <functional>
#include <tests/unit/fs/fuse_client.hpp>

namespace capsa::virtio::fs::test {
namespace {

ShareConfig with_fds(std::size_t count) {
  ShareConfig config = Bench::writable();
  config.max_open_fds = count;
  return config;
}

/// Runs `test` in a child, whose limits and user are its own. True where it gives true.
bool in_a_child(const std::function<bool()>& test) {
  const pid_t child = ::fork();
  if (child == 0) {
    bool good = false;
    try {
      good = test();
    } catch (...) {
      good = false;
    }
    ::_exit(good ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/// The same as an ordinary user, who may not open files by handle.
bool as_ordinary_user(const Bench& bench, const std::function<bool()>& test) {
  ::chmod(bench.scratch.path().c_str(), 0777);
  ::chmod(bench.share().c_str(), 0777);
  return in_a_child([&] {
    constexpr uid_t kUser = 12345;
    const bool is_user = ::geteuid() != 0 || (::setgid(kUser) == 0 && ::setuid(kUser) == 0);
    return is_user && test();
  });
}

bool size_is(FuseClient& client, std::uint64_t node, std::uint64_t size) {
  const Answer answer = client.call(FUSE_GETATTR, node, Args().put(fuse_getattr_in{}));
  return answer.error == 0 && answer.as<fuse_attr_out>().attr.size == size;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(fs_fd_budget)

BOOST_AUTO_TEST_CASE(ten_thousand_files_are_known_with_256_descriptors) {
  Bench bench(with_fds(256));
  constexpr int kFiles = 10'000;
  std::vector<std::uint64_t> nodes;
  for (int i = 0; i < kFiles; ++i) {
    const std::string name = std::to_string(i);
    bench.file(name, std::string(static_cast<std::size_t>(i % 100), 'x'));
    nodes.push_back(bench.client->lookup(1, name).nodeid);
    if (bench.server->open_fds() > 256) BOOST_FAIL("more descriptors than allowed");
  }
  BOOST_TEST(bench.server->known_inodes() == kFiles + 1U);
  BOOST_TEST(bench.server->open_fds() <= 256U);
  int wrong = 0;
  for (int i = 0; i < kFiles; i += 7) {
    if (!size_is(*bench.client, nodes[static_cast<std::size_t>(i)],
                 static_cast<std::uint64_t>(i % 100))) {
      ++wrong;
    }
  }
  BOOST_TEST(wrong == 0);
  // Looked up once more, they are the same nodes.
  BOOST_TEST(bench.client->lookup(1, "17").nodeid == nodes[17]);
  for (const auto node : nodes)
    bench.client->forget(node, 2);
  BOOST_TEST(bench.server->known_inodes() == 1U);
  BOOST_TEST(bench.server->open_fds() == 2U);
}

BOOST_AUTO_TEST_CASE(without_file_handles_files_are_found_again_by_name) {
  Bench bench;
  BOOST_TEST(as_ordinary_user(bench, [&] {
    bench.restart(with_fds(64));
    bool good = true;
    std::vector<std::uint64_t> nodes;
    for (int d = 0; d < 10; ++d) {
      const std::string directory = "d" + std::to_string(d);
      std::filesystem::create_directories(bench.share() / directory / "deep");
      const auto deep = bench.client->walk({directory, "deep"});
      for (int f = 0; f < 100; ++f) {
        const std::string name = std::to_string(f);
        bench.file(directory + "/deep/" + name, std::string(static_cast<std::size_t>(f), 'x'));
        nodes.push_back(bench.client->lookup(deep, name).nodeid);
      }
    }
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      good = good && size_is(*bench.client, nodes[i], i % 100);
    }
    return good && bench.server->open_fds() <= 64;
  }));
}

BOOST_AUTO_TEST_CASE(a_rename_by_the_guest_does_not_lose_an_evicted_file) {
  Bench bench;
  BOOST_TEST(as_ordinary_user(bench, [&] {
    bench.restart(with_fds(kMinOpenFds));
    for (int i = 0; i < 40; ++i)
      bench.file(std::to_string(i), "");
    bench.file("a", "hello");
    const auto node = bench.client->lookup(1, "a").nodeid;
    bench.client->call(FUSE_RENAME, 1, Args().put(fuse_rename_in{1}).text("a").text("b"));
    for (int i = 0; i < 40; ++i)
      bench.client->lookup(1, std::to_string(i));
    return size_is(*bench.client, node, 5);
  }));
}

BOOST_AUTO_TEST_CASE(another_file_under_the_old_name_is_not_mistaken_for_the_evicted_one) {
  Bench bench;
  BOOST_TEST(as_ordinary_user(bench, [&] {
    bench.restart(with_fds(kMinOpenFds));
    for (int i = 0; i < 40; ++i)
      bench.file(std::to_string(i), "");
    bench.file("a", "hello");
    const auto node = bench.client->lookup(1, "a").nodeid;
    for (int i = 0; i < 40; ++i)
      bench.client->lookup(1, std::to_string(i));
    std::filesystem::remove(bench.share() / "a");
    bench.file("a", "other");
    const Answer stale = bench.client->call(FUSE_GETATTR, node, Args().put(fuse_getattr_in{}));
    const auto fresh = bench.client->lookup(1, "a").nodeid;
    return stale.error == ESTALE && fresh != node && size_is(*bench.client, fresh, 5);
  }));
}

BOOST_AUTO_TEST_CASE(an_inode_number_used_again_is_another_node) {
  Bench bench(with_fds(kMinOpenFds));
  for (int i = 0; i < 40; ++i)
    bench.file(std::to_string(i), "");
  bench.file("a", "hello");
  const auto old = bench.client->lookup(1, "a");
  for (int i = 0; i < 40; ++i)
    bench.client->lookup(1, std::to_string(i));
  // Whether the number comes back is the file system's choice; either way nodes differ.
  std::filesystem::remove(bench.share() / "a");
  bench.file("a", "");
  BOOST_TEST(bench.client->lookup(1, "a").nodeid != old.nodeid);
  const Answer stale = bench.client->call(FUSE_GETATTR, old.nodeid, Args().put(fuse_getattr_in{}));
  BOOST_TEST(stale.error == ESTALE);
  bench.client->forget(old.nodeid, 1);
}

BOOST_AUTO_TEST_CASE(open_files_fill_the_budget_and_give_enfile) {
  Bench bench(with_fds(kMinOpenFds));
  bench.file("a", "hello");
  bench.file("b", "");
  const auto node = bench.client->lookup(1, "a").nodeid;
  std::vector<std::uint64_t> handles;
  Answer last;
  while ((last = bench.client->try_open(node, O_RDONLY)).error == 0) {
    handles.push_back(last.as<fuse_open_out>().fh);
    if (handles.size() > kMinOpenFds) BOOST_FAIL("more handles than allowed");
  }
  BOOST_TEST(last.error == ENFILE);
  BOOST_TEST(bench.client->try_create(1, "new", O_RDWR).error == ENFILE);
  BOOST_TEST(!std::filesystem::exists(bench.share() / "new"));
  const Answer made =
      bench.client->call(FUSE_MKDIR, 1, Args().put(fuse_mkdir_in{0755, 0}).text("dir"));
  BOOST_TEST((made.error == 0 || !std::filesystem::exists(bench.share() / "dir")));
  BOOST_TEST(bench.client->read(handles.back(), 0, 5).text() == "hello");
  for (const auto handle : handles)
    bench.client->release(handle);
  BOOST_TEST(bench.client->try_create(1, "new", O_RDWR).error == 0);
}

BOOST_AUTO_TEST_CASE(an_open_file_without_a_name_survives_eviction) {
  Bench bench;
  BOOST_TEST(as_ordinary_user(bench, [&] {
    bench.restart(with_fds(kMinOpenFds));
    for (int i = 0; i < 40; ++i)
      bench.file(std::to_string(i), "");
    bench.file("a", "hello");
    const auto node = bench.client->lookup(1, "a").nodeid;
    bench.client->open(node, O_RDWR);
    bench.client->call(FUSE_UNLINK, 1, Args().text("a"));
    for (int i = 0; i < 40; ++i)
      bench.client->lookup(1, std::to_string(i));
    fuse_setattr_in in{};
    in.valid = FATTR_MODE;
    in.mode = 0600;
    return bench.client->setattr(node, in).error == 0 && size_is(*bench.client, node, 5);
  }));
}

BOOST_AUTO_TEST_CASE(any_of_its_handles_leads_back_to_a_file_without_a_name) {
  Bench bench;
  BOOST_TEST(as_ordinary_user(bench, [&] {
    bench.restart(with_fds(256));
    for (int i = 0; i < 300; ++i)
      bench.file(std::to_string(i), "");
    bench.file("f", "hello");
    const auto node = bench.client->lookup(1, "f").nodeid;
    const auto kept = bench.client->open(node, O_RDWR);
    for (int i = 0; i < 10; ++i) {
      if (bench.client->release(bench.client->open(node, O_RDONLY)).error != 0) return false;
    }
    bench.client->call(FUSE_UNLINK, 1, Args().text("f"));
    for (int i = 0; i < 300; ++i)
      bench.client->lookup(1, std::to_string(i));
    return size_is(*bench.client, node, 5) && bench.client->release(kept).error == 0 &&
           bench.client->release(kept).error == EBADF;
  }));
}

BOOST_AUTO_TEST_CASE(shares_draw_from_one_reserve_and_each_may_have_a_few_in_any_case) {
  FdReserve reserve(100);
  FdBudget one(80, reserve);
  FdBudget other(80, reserve);
  FdBudget third(80, reserve);
  std::vector<BudgetedFd> ones;
  std::vector<BudgetedFd> others;
  for (int i = 0; i < 70; ++i)
    ones.emplace_back(UniqueFd(), one);
  BOOST_TEST(one.has_room(10));
  BOOST_TEST(!one.has_room(11));
  BOOST_TEST(other.has_room(30));
  BOOST_TEST(!other.has_room(31));
  for (int i = 0; i < 30; ++i)
    others.emplace_back(UniqueFd(), other);
  BOOST_TEST(reserve.used() == 100U);
  BOOST_TEST(!one.has_room(1));
  BOOST_TEST(!other.has_room(1));
  BOOST_TEST(third.has_room(kMinOpenFds));
  BOOST_TEST(!third.has_room(kMinOpenFds + 1));
  for (int i = 0; i < 30; ++i)
    ones.pop_back();
  BOOST_TEST(other.has_room(30));
  BOOST_TEST(!other.has_room(31));
}

BOOST_AUTO_TEST_CASE(four_shares_leave_the_host_half_of_its_descriptors) {
  std::vector<std::unique_ptr<Bench>> benches;
  for (int share = 0; share < 4; ++share) {
    benches.push_back(std::make_unique<Bench>());
    for (int i = 0; i < 200; ++i)
      benches.back()->file(std::to_string(i), "x");
  }
  BOOST_TEST(in_a_child([&] {
    const rlimit limit{256, 256};
    ::setrlimit(RLIMIT_NOFILE, &limit);
    bool good = true;
    std::size_t open = 0;
    for (const auto& bench : benches)
      bench->restart(Bench::writable());
    for (const auto& bench : benches) {
      for (int i = 0; i < 200; ++i) {
        const auto node = bench->client->lookup(1, std::to_string(i)).nodeid;
        good = good && size_is(*bench->client, node, 1);
      }
      open += bench->server->open_fds();
    }
    return good && open <= 128 + 4 * kMinOpenFds;
  }));
}

BOOST_AUTO_TEST_CASE(a_host_without_descriptors_drops_no_node_and_recovers) {
  Bench bench(with_fds(4096));
  for (int i = 0; i < 300; ++i)
    bench.file(std::to_string(i), "x");
  BOOST_TEST(in_a_child([&] {
    const rlimit limit{128, 128};
    ::setrlimit(RLIMIT_NOFILE, &limit);
    bool good = true;
    std::vector<std::uint64_t> nodes;
    // By closing some it goes on; the nodes stay good.
    for (int i = 0; i < 300; ++i) {
      const Answer answer = bench.client->try_lookup(1, std::to_string(i));
      good = good && answer.error == 0;
      if (answer.error == 0) nodes.push_back(answer.as<fuse_entry_out>().nodeid);
    }
    for (const auto node : nodes)
      good = good && size_is(*bench.client, node, 1);
    // Where all are handles there is nothing to close.
    Answer last;
    std::vector<std::uint64_t> handles;
    while ((last = bench.client->try_open(nodes[0], O_RDONLY)).error == 0) {
      handles.push_back(last.as<fuse_open_out>().fh);
    }
    good = good && last.error == ENFILE;
    for (const auto handle : handles)
      bench.client->release(handle);
    good = good && size_is(*bench.client, nodes[299], 1);
    return good && bench.server->known_inodes() == 301;
  }));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::virtio::fs::test
