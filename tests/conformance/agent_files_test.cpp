#include <fcntl.h>
#include <sys/stat.h>
#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <tests/conformance/agent_guest.hpp>

using namespace capsa;
using namespace std::chrono_literals;
using test::agent;
using test::code_of;
namespace fs = std::filesystem;

namespace {

/// A directory of its own on the host, gone with the object.
class Scratch {
 public:
  Scratch() {
    std::string name = (fs::temp_directory_path() / "capsa-copy-XXXXXX").string();
    BOOST_REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~Scratch() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  fs::path operator/(const std::string& name) const { return path_ / name; }

 private:
  fs::path path_;
};

void put(const fs::path& path, const std::string& text, mode_t mode = 0644) {
  std::ofstream(path, std::ios::binary) << text;
  ::chmod(path.c_str(), mode);
}

std::string contents(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

void set_time(const fs::path& path, std::int64_t seconds) {
  const timespec times[2] = {{seconds, 0}, {seconds, 0}};
  ::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW);
}

/// Mode, time, and content or target of all below a directory.
std::map<std::string, std::string> all_below(const fs::path& root) {
  std::map<std::string, std::string> out;
  const auto add = [&](const fs::path& path) {
    struct stat status {};
    BOOST_REQUIRE(::lstat(path.c_str(), &status) == 0);
    std::ostringstream line;
    line << std::oct << status.st_mode << std::dec << ' ' << status.st_mtim.tv_sec << '.'
         << status.st_mtim.tv_nsec << ' ';
    if (S_ISREG(status.st_mode)) line << contents(path);
    if (S_ISLNK(status.st_mode)) line << fs::read_symlink(path).string();
    out[path.lexically_relative(root).string()] = line.str();
  };
  add(root);
  for (const auto& entry : fs::recursive_directory_iterator(root))
    add(entry.path());
  return out;
}

void make_sample(const fs::path& root) {
  fs::create_directories(root / "sub/empty");
  put(root / "program", "#!/bin/sh\necho ran $((40 + 2))\n", 0755);
  put(root / "sub/secret", test::random_bytes(300'000, 7), 0600);
  put(root / "sub/with space\n and line", "odd", 0640);
  fs::create_symlink("../program", root / "sub/inside");
  fs::create_symlink("/etc/passwd", root / "outside");
  fs::create_symlink("no such file", root / "dangling");
  ::chmod((root / "sub/empty").c_str(), 01777);
  ::chmod((root / "sub").c_str(), 0750);
  set_time(root / "sub/secret", 1'000'000'000);
  set_time(root / "outside", 1'100'000'000);
  set_time(root / "sub/empty", 1'200'000'000);
  set_time(root / "sub", 1'300'000'000);
  set_time(root, 1'400'000'000);
}

std::string guest_says(const std::string& line) {
  return agent().exec(line).get().stdout_data;
}

/// Memory that is the program's own and no guest's, which is not dumped (VmFlags "dd", proc(5)).
std::uint64_t anonymous_kib() {
  std::ifstream maps("/proc/self/smaps");
  std::uint64_t all = 0;
  std::uint64_t one = 0;
  for (std::string line; std::getline(maps, line);) {
    if (line.starts_with("Anonymous:")) one = std::stoull(line.substr(10));
    if (line.starts_with("VmFlags:") && line.find(" dd") == std::string::npos) all += one;
  }
  return all;
}

template <class T>
std::uint64_t most_memory_during(future<T>& copy) {
  std::uint64_t most = 0;
  while (!copy.wait_for(2ms))
    most = std::max(most, anonymous_kib());
  return most;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(the_agent_copies)

BOOST_AUTO_TEST_CASE(a_directory_into_the_guest_and_back_with_modes_times_and_links) {
  Scratch dir;
  make_sample(dir / "from");
  const auto there = agent().copy_to(dir / "from", "/tmp/new/tree").get();
  BOOST_TEST((there == CopyStats{3, 3, 3, 0, fs::file_size(dir / "from/program") + 300'003}));
  // As the guest sees it.
  BOOST_TEST(guest_says("/tmp/new/tree/program") == "ran 42\n");
  BOOST_TEST(guest_says("cd /tmp/new/tree && stat -c '%n %a %Y' sub/secret sub/empty sub .") ==
             "sub/secret 600 1000000000\nsub/empty 1777 1200000000\nsub 750 1300000000\n"
             ". 755 1400000000\n");
  BOOST_TEST(
      guest_says(
          "cd /tmp/new/tree && for l in outside dangling sub/inside; do readlink $l; done") ==
      "/etc/passwd\nno such file\n../program\n");
  BOOST_TEST(guest_says("sha256sum < /tmp/new/tree/sub/secret | cut -d' ' -f1") ==
             test::sha256(contents(dir / "from/sub/secret")) + "\n");
  const auto back = agent().copy_from("/tmp/new/tree", dir / "deep/back").get();
  BOOST_TEST((back == there));
  BOOST_TEST((all_below(dir / "deep/back") == all_below(dir / "from")));
  agent().remove("/tmp/new", true).get();
}

BOOST_AUTO_TEST_CASE(a_file_alone_and_replaces_one_that_is_there) {
  Scratch dir;
  put(dir / "file", "one", 0751);
  agent().write_file("/tmp/copied", "old").get();
  BOOST_TEST((agent().copy_to(dir / "file", "/tmp/copied").get() == CopyStats{1, 0, 0, 0, 3}));
  BOOST_TEST(guest_says("cat /tmp/copied; stat -c ' %a' /tmp/copied") == "one 751\n");
  put(dir / "back", "old");
  agent().copy_from("/tmp/copied", dir / "back").get();
  BOOST_TEST(contents(dir / "back") == "one");
  BOOST_TEST((fs::status(dir / "back").permissions() == fs::perms(0751)));
}

BOOST_AUTO_TEST_CASE(a_hundred_mebibytes_each_way_without_holding_them) {
  Scratch dir;
#ifdef __SANITIZE_ADDRESS__
  constexpr std::uint64_t kMayGrow = 256 << 10;  // freed memory is kept a while
#else
  constexpr std::uint64_t kMayGrow = 48 << 10;
#endif
  {
    std::ofstream out(dir / "big", std::ios::binary);
    for (std::uint64_t i = 0; i < 100; ++i)
      out << test::random_bytes(1U << 20, i);
  }
  const auto before = anonymous_kib();
  auto there = agent().copy_to(dir / "big", "/tmp/big");
  BOOST_TEST(most_memory_during(there) < before + kMayGrow);
  BOOST_TEST(there.get().bytes == 100U << 20);
  auto back = agent().copy_from("/tmp/big", dir / "back");
  BOOST_TEST(most_memory_during(back) < before + kMayGrow);
  BOOST_TEST(back.get().bytes == 100U << 20);
  BOOST_TEST(test::sha256(contents(dir / "back")) == test::sha256(contents(dir / "big")));
  agent().remove("/tmp/big").get();
}

BOOST_AUTO_TEST_CASE(many_small_files_and_several_trees_at_once) {
  Scratch dir;
  for (int i = 0; i < 1000; ++i) {
    const auto sub = dir / "from" / std::to_string(i % 10);
    fs::create_directories(sub);
    put(sub / std::to_string(i), std::to_string(i));
  }
  std::vector<future<CopyStats>> copies;
  for (int i = 0; i < 4; ++i)
    copies.push_back(agent().copy_to(dir / "from", "/tmp/many/" + std::to_string(i)));
  for (auto& copy : copies)
    BOOST_TEST(copy.get().files == 1000U);
  copies.clear();
  for (int i = 0; i < 4; ++i)
    copies.push_back(agent().copy_from("/tmp/many/" + std::to_string(i), dir / std::to_string(i)));
  for (auto& copy : copies)
    BOOST_TEST(copy.get().files == 1000U);
  for (int i = 0; i < 4; ++i)
    BOOST_TEST((all_below(dir / std::to_string(i)) == all_below(dir / "from")));
  agent().remove("/tmp/many", true).get();
}

BOOST_AUTO_TEST_CASE(inside_a_continuation) {
  Scratch dir;
  put(dir / "file", "content");
  auto inside = agent().ping().then([&](const result<void>&) -> result<CopyStats> {
    auto copy = agent().copy_to(dir / "file", "/tmp/inside");
    if (!copy.wait_for(30s)) return error(ErrorCode::Timeout, "never");
    return copy.result();
  });
  BOOST_TEST(inside.get().files == 1U);
}

BOOST_AUTO_TEST_CASE(nothing_beyond_its_limits_and_names_the_path_of_each_error) {
  Scratch dir;
  fs::create_directories(dir / "from");
  put(dir / "from/file", "12345");
  auto failed = agent().copy_to(dir / "no", "/tmp/x").result();
  BOOST_TEST_REQUIRE(!failed.ok());
  BOOST_TEST(failed.error().code() == ErrorCode::NotFound);
  BOOST_TEST(failed.error().message().find((dir / "no").string()) != std::string::npos);
  failed = agent().copy_from("/tmp/no/such", dir / "x").result();
  BOOST_TEST_REQUIRE(!failed.ok());
  BOOST_TEST(failed.error().guest_errno() == ENOENT);
  BOOST_TEST(failed.error().message().find("/tmp/no/such") != std::string::npos);
  BOOST_TEST(!fs::exists(dir / "x"));
  failed = agent().copy_to(dir / "from", "/proc/capsa").result();
  BOOST_TEST_REQUIRE(!failed.ok());
  BOOST_TEST(failed.error().code() == ErrorCode::GuestError);
  BOOST_TEST(failed.error().message().find("/proc/capsa") != std::string::npos);

  CopyOptions options;
  options.max_bytes = 4;
  BOOST_TEST(code_of(agent().copy_to(dir / "from", "/tmp/limited", options)) ==
             ErrorCode::ResourceExhausted);
  BOOST_TEST(!agent().exists("/tmp/limited/file").get());
  agent().exec("mkdir -p /tmp/g && echo 12345 > /tmp/g/f && mkfifo /tmp/g/pipe").get();
  options.skip_special = true;
  BOOST_TEST(code_of(agent().copy_from("/tmp/g", dir / "g", options)) ==
             ErrorCode::ResourceExhausted);
  BOOST_TEST(!fs::exists(dir / "g/f"));

  const auto special = agent().copy_from("/tmp/g", dir / "special").result();
  BOOST_TEST_REQUIRE(!special.ok());
  BOOST_TEST(special.error().code() == ErrorCode::UnsupportedFeature);
  BOOST_TEST(special.error().message().find("/tmp/g/pipe") != std::string::npos);
  options = {};
  options.skip_special = true;
  BOOST_TEST((agent().copy_from("/tmp/g", dir / "g", options).get() == CopyStats{1, 1, 0, 1, 6}));
  BOOST_TEST(code_of(agent().copy_to("", "/tmp/x")) == ErrorCode::InvalidConfig);
  BOOST_TEST(code_of(agent().copy_from("", dir / "x")) == ErrorCode::InvalidConfig);
}

BOOST_AUTO_TEST_CASE(no_link_of_the_guest_leads_it_out_of_the_directory) {
  Scratch dir;
  fs::create_directories(dir / "victim");
  agent()
      .exec(
          "mkdir -p /tmp/evil && ln -s ../victim /tmp/evil/d && ln -s / /tmp/evil/root && "
          "ln -s " +
          (dir / "victim").string() + " /tmp/evil/absolute")
      .get();
  BOOST_TEST(agent().copy_from("/tmp/evil", dir / "to").get().symlinks == 3U);
  // Now directories in the place of the links, which the host has.
  agent().exec("cd /tmp/evil && rm d absolute && mkdir d && echo bad > d/file").get();
  const auto failed = agent().copy_from("/tmp/evil", dir / "to").result();
  BOOST_TEST_REQUIRE(!failed.ok());
  BOOST_TEST(failed.error().message().find((dir / "to/d").string()) != std::string::npos);
  BOOST_TEST(fs::is_empty(dir / "victim"));
}

BOOST_AUTO_TEST_SUITE_END()
