// The client that counts is Linux's own. Where this process may, it mounts a server by /dev/fuse in
// a mount namespace of its own and lets programs work on it: the requests are those that a guest's
// kernel sends over virtio-fs.

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <boost/test/unit_test.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <functional>
#include <tests/unit/fs/fuse_client.hpp>
#include <thread>

namespace capsa::virtio::fs::test {
namespace {

boost::test_tools::assertion_result can_mount(boost::unit_test::test_unit_id /*id*/) {
  boost::test_tools::assertion_result can(::geteuid() == 0 && ::access("/dev/fuse", R_OK) == 0);
  can.message() << "needs root and /dev/fuse";
  return can;
}

/// Answers the kernel until the mount is gone.
void serve(int fuse, FuseServer& server) {
  Bytes request(kMaxWrite + 65536);
  Bytes out(kMaxWrite + 65536);
  while (true) {
    const ssize_t got = ::read(fuse, request.data(), request.size());
    if (got < 0 && errno == ENODEV) return;
    if (got < 0) continue;
    const std::span<const std::byte> whole(request.data(), static_cast<std::size_t>(got));
    std::uint32_t opcode = 0;
    std::memcpy(&opcode, whole.data() + 4, sizeof(opcode));
    const std::size_t copied = copied_bytes(opcode, whole.size());
    const iovec data_in{request.data() + copied, whole.size() - copied};
    const iovec data_out{out.data(), out.size()};
    const FuseReply reply =
        server.handle({whole.first(copied), std::span(&data_in, 1), std::span(&data_out, 1), true});
    if (!reply.header) continue;
    fuse_out_header header = *reply.header;
    const bool in_place = reply.body.empty();
    const std::array<iovec, 2> pieces{
        iovec{&header, sizeof(header)},
        iovec{in_place ? out.data() : const_cast<std::byte*>(reply.body.data()),
              header.len - sizeof(header)}};
    if (::writev(fuse, pieces.data(), 2) < 0 && errno == ENODEV) return;
  }
}

using Prepare = std::function<void(Bench&)>;

int run_mounted_here(ShareConfig config, const std::string& script, const Prepare& prepare) {
  Bench bench;
  if (prepare) prepare(bench);
  config.host_path = bench.share();
  bench.server = FuseServer::create(config).value();
  const auto mount_point = bench.scratch.path() / "mnt";
  std::filesystem::create_directory(mount_point);
  const UniqueFd fuse(::open("/dev/fuse", O_RDWR | O_CLOEXEC));
  const std::string options =
      "fd=" + std::to_string(fuse.get()) +
      ",rootmode=40000,user_id=0,group_id=0,default_permissions,allow_other";
  if (::unshare(CLONE_NEWNS) != 0 ||
      ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
      ::mount("share", mount_point.c_str(), "fuse", 0, options.c_str()) != 0) {
    return 100;
  }
  std::thread server([&] { serve(fuse.get(), *bench.server); });
  const std::string whole = "set -eu; cd " + mount_point.string() +
                            "; export HOST=" + bench.share().string() + "; " + script;
  const pid_t shell = ::fork();
  if (shell == 0) {
    ::execl("/bin/sh", "sh", "-c", whole.c_str(), nullptr);
    ::_exit(101);
  }
  int status = 0;
  ::waitpid(shell, &status, 0);
  ::umount2(mount_point.c_str(), MNT_DETACH);
  server.join();
  return WIFEXITED(status) ? WEXITSTATUS(status) : 102;
}

/// Mounts a server of `config` in a child and runs a shell script in the mount. Gives its status.
int run_mounted(const ShareConfig& config, const std::string& script, const Prepare& prepare = {}) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(run_mounted_here(config, script, prepare));
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 103;
}

ShareConfig small_budget() {
  ShareConfig config = Bench::writable();
  config.max_open_fds = 32;
  return config;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(fs_linux_client, *boost::unit_test::precondition(can_mount))

BOOST_AUTO_TEST_CASE(files_are_written_read_moved_and_removed) {
  BOOST_TEST(run_mounted(Bench::writable(), R"sh(
    mkdir -p a/b/c
    head -c 3000000 /dev/urandom > a/big
    cp a/big a/b/copy
    cmp a/big $HOST/a/b/copy
    dd if=a/big of=a/sparse bs=1000 seek=5000000 count=7 conv=notrunc status=none
    test $(stat -c %s $HOST/a/sparse) = 5000007000
    mv a/b z
    ln -s z/copy link
    cmp link a/big
    ln z/copy hard
    test $(stat -c %h hard) = 2
    echo one > log; echo two >> log; echo three >> log
    test "$(cat $HOST/log | tr '\n' ' ')" = "one two three "
    chmod 750 z; test $(stat -c %a $HOST/z) = 750
    touch -d @1234567 log; test $(stat -c %Y $HOST/log) = 1234567
    truncate -s 3 log; test "$(cat log)" = one
    mkfifo pipe; (echo through > pipe &); test "$(cat pipe)" = through
    ! mknod dev c 1 3 2>/dev/null
    ! cat ../missing 2>/dev/null
    rm -r a z link hard log pipe
    test -z "$(ls -A $HOST)"
  )sh") == 0);
}

BOOST_AUTO_TEST_CASE(a_tree_larger_than_the_budget_is_walked_and_compared) {
  BOOST_TEST(run_mounted(small_budget(), R"sh(
    for d in 0 1 2 3 4 5 6 7; do
      mkdir -p d$d/sub
      for f in 0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19; do echo $d$f > d$d/sub/$f; done
    done
    test $(find . -type f | wc -l) = 160
    diff -r . $HOST
    tar cf - . | (mkdir ../copy && cd ../copy && tar xf -)
    diff -r . ../copy
    rm -r d*
    test -z "$(ls -A $HOST)"
  )sh") == 0);
}

BOOST_AUTO_TEST_CASE(git_finds_its_repository_sound) {
  BOOST_TEST(run_mounted(Bench::writable(), R"sh(
    command -v git > /dev/null || exit 0
    export HOME=$PWD GIT_CONFIG_NOSYSTEM=1
    git config --global user.email t@example.org; git config --global user.name t
    git init -q repo; cd repo
    for i in 1 2 3 4 5; do seq $i 1000 > f$i; git add .; git commit -q -m $i; done
    git gc -q
    git fsck --strict
    cd ..; git clone -q repo clone; diff -r repo/f1 clone/f1
    git -C clone checkout -q HEAD~3; test ! -e clone/f3
  )sh") == 0);
}

BOOST_AUTO_TEST_CASE(an_open_file_lives_on_without_its_name) {
  BOOST_TEST(run_mounted(small_budget(), R"sh(
    echo hello > a
    exec 3< a 4>> a
    rm a
    seq 1 100 | while read i; do echo $i > f$i; cat f$i > /dev/null; done
    echo there >&4
    test "$(cat <&3 | tr '\n' ' ')" = "hello there "
  )sh") == 0);
}

BOOST_AUTO_TEST_CASE(a_read_only_share_refuses_root) {
  const std::string script = R"sh(
    test "$(cat a)" = hello
    for attempt in "touch a" "rm a" "mv a b" "ln a b" "mkdir d" "chmod 777 a" "chown 1 a" \
                   "truncate -s 0 a" "cp a b" "ln -s a b" "mkfifo p"; do
      if $attempt 2> ../message; then echo "$attempt succeeded"; exit 1; fi
      grep -q "Read-only" ../message
    done
    if (echo x >> a) 2> /dev/null; then exit 1; fi
    test "$(cat a)" = hello
  )sh";
  const auto prepare = [](Bench& bench) { bench.file("a", "hello"); };
  BOOST_TEST(run_mounted(Bench::read_only(), script, prepare) == 0);
}

BOOST_AUTO_TEST_CASE(guest_root_is_the_host_user_and_set_id_bits_do_not_stick) {
  BOOST_TEST(run_mounted(Bench::writable(), R"sh(
    echo x > a
    test $(stat -c %u:%g a) = 0:0
    chown 0:0 a
    ! chown 1000 a 2> /dev/null
    chmod 4755 a
    test $(stat -c %a $HOST/a) = 755
    chmod 4755 $HOST/a
    echo y >> a
    test $(stat -c %a $HOST/a) = 755
    chown 4711 $HOST/a
    sleep 1.1
    test $(stat -c %u a) = 65534
  )sh") == 0);
}

BOOST_AUTO_TEST_CASE(every_cache_policy_works) {
  for (const auto policy : {CachePolicy::Auto, CachePolicy::None, CachePolicy::Always}) {
    ShareConfig config = Bench::writable();
    config.cache = policy;
    BOOST_TEST(run_mounted(config, R"sh(
      ! cat missing 2> /dev/null
      mkdir d; seq 1 10000 > d/a; ls d > /dev/null; seq 1 5 > d/b
      test $(ls d | wc -l) = 2
      test $(wc -l < d/a) = 10000
      cmp d/a $HOST/d/a
      mv d/a d/b; test $(ls d | wc -l) = 1; test $(wc -l < d/b) = 10000
      echo there > missing; test $(cat missing) = there
    )sh") == 0);
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::virtio::fs::test
