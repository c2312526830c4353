#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <backends/block/image_server.hpp>
#include <backends/block/nbd_store.hpp>
#include <cstdlib>
#include <fstream>
#include <tests/support/scratch_dir.hpp>
#include <tests/unit/block/store_client.hpp>

namespace capsa::block::test {
namespace {

/// A program of ours, ended by its id.
class Child {
 public:
  Child() = default;
  /// `listener` becomes descriptor 3, where it is one.
  Child(const std::string& program, std::vector<std::string> arguments, int listener = -1) {
    arguments.insert(arguments.begin(), program);
    std::vector<char*> argv;
    for (auto& one : arguments)
      argv.push_back(one.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    if (listener >= 0) ::posix_spawn_file_actions_adddup2(&actions, listener, kListenerFd);
    if (::posix_spawnp(&pid_, program.c_str(), &actions, nullptr, argv.data(), environ) != 0)
      pid_ = -1;
    ::posix_spawn_file_actions_destroy(&actions);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() {
    if (pid_ > 0) end(SIGKILL);
  }
  int end(int signal) {
    ::kill(pid_, signal);
    return wait();
  }
  int wait() {
    int status = -1;
    if (pid_ > 0) ::waitpid(std::exchange(pid_, -1), &status, 0);
    return status;
  }
  bool started() const { return pid_ > 0; }

 private:
  pid_t pid_ = -1;
};

int run(const std::string& program, std::vector<std::string> arguments) {
  Child child(program, std::move(arguments));
  return child.started() ? child.wait() : -1;
}

struct NbdBench {
  std::filesystem::path create(ImageFormat format, const std::string& size = "1M") {
    const auto path = directory.path() / "image";
    const int status = run(
        "qemu-img", {"create", "-q", "-f", std::string(to_string(format)), path.string(), size});
    BOOST_REQUIRE(status == 0);
    return path;
  }
  void serve(ImageServerConfig config) {
    command = image_server_command(config, directory.path(), "d").value();
    auto listener = listen_for_image_server(command.socket).value();
    // Its number is never 3 here: dup2(2) to itself would leave it close-on-exec.
    const UniqueFd high(::fcntl(listener.get(), F_DUPFD_CLOEXEC, 10));
    server = std::make_unique<Child>(command.program, command.arguments, high.get());
    BOOST_REQUIRE(server->started());
  }
  NbdTarget target(bool read_only = false) const {
    NbdTarget target;
    target.socket = command.socket;
    target.export_name = command.export_name;
    target.read_only = read_only;
    return target;
  }
  result<std::unique_ptr<NbdStore>> connect(NbdTarget to) {
    std::optional<result<std::unique_ptr<NbdStore>>> outcome;
    const NbdConnector connector(loop, std::move(to),
                                 [&](auto made) { outcome = std::move(made); });
    BOOST_TEST(!outcome.has_value());
    BOOST_REQUIRE(loop.run_until([&] { return outcome.has_value(); }));
    return std::move(*outcome);
  }
  void close(BlockStore& store) {
    bool closed = false;
    store.close([&] { closed = true; });
    BOOST_TEST(loop.run_until([&] { return closed; }));
  }

  tests::ScratchDir directory;
  tests::TestLoop loop;
  ImageServerCommand command;
  std::unique_ptr<Child> server;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(block_nbd_store)

BOOST_AUTO_TEST_CASE(a_qcow2_image_keeps_what_was_written) {
  NbdBench bench;
  const auto path = bench.create(ImageFormat::Qcow2);
  BOOST_TEST(check_image(path, ImageFormat::Qcow2, false).ok());
  bench.serve({.image = path});
  {
    const auto store = bench.connect(bench.target()).value();
    BOOST_TEST(store->info().size == 1U << 20);
    BOOST_TEST(store->info().discard);
    BOOST_TEST(store->info().write_zeroes);
    WaitingClient client(bench.loop, *store);
    BOOST_TEST(client.write(512, Bytes(1024, std::byte{0x5a}), 3, true) == 0);
    BOOST_TEST(client.write(65536, Bytes(65536, std::byte{0x77})) == 0);
    BOOST_TEST(client.run(Operation::WriteZeroes, 65536, 4096) == 0);
    BOOST_TEST(client.run(Operation::Flush) == 0);
    BOOST_TEST(client.run(Operation::Nothing) == 0);
    bench.close(*store);
    BOOST_TEST(client.run(Operation::Flush) == ESHUTDOWN);
  }
  BOOST_TEST(bench.server->end(SIGTERM) == 0);
  BOOST_TEST(run("qemu-img", {"check", "-q", "-f", "qcow2", path.string()}) == 0);
  BOOST_TEST(run("qemu-io",
                 {"-f", "qcow2", "-c", "read -q -P 0x5a 512 1024", "-c", "read -q -P 0 65536 4096",
                  "-c", "read -q -P 0x77 69632 61440", path.string()}) == 0);
}

BOOST_AUTO_TEST_CASE(random_requests_agree_with_an_oracle) {
  for (const auto format : {ImageFormat::Raw, ImageFormat::Qcow2}) {
    NbdBench bench;
    bench.serve({.image = bench.create(format), .format = format});
    const auto store = bench.connect(bench.target()).value();
    for (const unsigned seed : {5U, 6U})
      compare_with_oracle(bench.loop, *store, seed, 100);
    bench.close(*store);
  }
}

BOOST_AUTO_TEST_CASE(a_read_only_image_is_not_written) {
  NbdBench bench;
  bench.serve({.image = bench.create(ImageFormat::Qcow2), .read_only = true});
  const auto store = bench.connect(bench.target()).value();
  BOOST_TEST(store->info().read_only);
  WaitingClient client(bench.loop, *store);
  BOOST_TEST(client.write(0, Bytes(512)) == EBADF);
  Bytes data(512);
  BOOST_TEST(client.read(0, data) == 0);
}

BOOST_AUTO_TEST_CASE(a_uri_finds_the_server_too) {
  NbdBench bench;
  bench.serve({.image = bench.create(ImageFormat::Raw), .format = ImageFormat::Raw});
  NbdTarget target;
  target.uri =
      "nbd+unix:///" + bench.command.export_name + "?socket=" + bench.command.socket.string();
  const auto store = bench.connect(target).value();
  WaitingClient client(bench.loop, *store);
  BOOST_TEST(client.write(0, pattern(4096, 1)) == 0);
}

BOOST_AUTO_TEST_CASE(odd_buffers_reach_a_server_that_wants_whole_blocks) {
  NbdBench bench;
  // Past the page cache everything must be aligned, and the server says so.
  ImageServerConfig config{.image = bench.create(ImageFormat::Raw), .format = ImageFormat::Raw};
  config.direct = true;
  bench.serve(config);
  auto store = bench.connect(bench.target());
  if (!store.ok()) {
    BOOST_TEST_MESSAGE("no O_DIRECT on this file system");
    return;
  }
  compare_with_oracle(bench.loop, **store, 7, 50);
}

BOOST_AUTO_TEST_CASE(a_lost_connection_fails_requests_and_is_reported) {
  NbdBench bench;
  bench.serve({.image = bench.create(ImageFormat::Qcow2)});
  const auto store = bench.connect(bench.target()).value();
  WaitingClient client(bench.loop, *store);
  std::optional<error> lost;
  store->on_lost([&](error why) { lost = std::move(why); });
  Bytes data(512);
  BOOST_TEST(client.read(0, data) == 0);
  bench.server->end(SIGKILL);
  auto request = WaitingClient::transfer(Operation::Read, 0, data, 1);
  store->start(request);
  store->submit();
  BOOST_REQUIRE(client.wait(2));
  BOOST_TEST(client.errors.at(&request) == EIO);
  BOOST_REQUIRE(bench.loop.run_until([&] { return lost.has_value(); }));
  BOOST_CHECK(lost->code() == ErrorCode::ConnectionClosed);
  BOOST_TEST(client.read(0, data) == EIO);
  BOOST_TEST(client.run(Operation::Flush) == EIO);
  bench.close(*store);
}

BOOST_AUTO_TEST_CASE(a_store_may_go_with_requests_in_flight) {
  NbdBench bench;
  bench.serve({.image = bench.create(ImageFormat::Raw), .format = ImageFormat::Raw});
  auto store = bench.connect(bench.target()).value();
  WaitingClient client(bench.loop, *store);
  Bytes data(1U << 20);
  auto request = WaitingClient::transfer(Operation::Read, 0, data, 4);
  store->start(request);
  store->submit();
  store.reset();
  bench.loop.run_ready();
  BOOST_TEST(client.order.empty());
}

BOOST_AUTO_TEST_CASE(closing_waits_for_what_is_in_flight) {
  NbdBench bench;
  bench.serve({.image = bench.create(ImageFormat::Raw), .format = ImageFormat::Raw});
  const auto store = bench.connect(bench.target()).value();
  WaitingClient client(bench.loop, *store);
  Bytes data(1U << 20, std::byte{1});
  auto request = WaitingClient::transfer(Operation::Write, 0, data, 4);
  store->start(request);
  store->submit();
  bench.close(*store);
  BOOST_TEST(client.errors.at(&request) == 0);
}

BOOST_AUTO_TEST_CASE(who_is_not_there_is_an_error) {
  NbdBench bench;
  NbdTarget absent;
  absent.socket = bench.directory.path() / "absent";
  BOOST_CHECK(bench.connect(absent).error().code() == ErrorCode::ConnectionClosed);
  BOOST_CHECK(bench.connect({}).error().code() == ErrorCode::InvalidConfig);
  NbdTarget odd;
  odd.uri = "http://example";
  BOOST_TEST(!bench.connect(odd).ok());
}

BOOST_AUTO_TEST_CASE(an_unknown_export_is_refused) {
  NbdBench bench;
  bench.serve({.image = bench.create(ImageFormat::Raw), .format = ImageFormat::Raw});
  auto target = bench.target();
  target.export_name = "other";
  BOOST_CHECK(bench.connect(target).error().code() == ErrorCode::ConnectionClosed);
}

BOOST_AUTO_TEST_CASE(a_silent_server_is_given_up) {
  NbdBench bench;
  NbdTarget target;
  target.socket = bench.directory.path() / "silent";
  target.timeout = std::chrono::milliseconds(20);
  const auto listener = listen_for_image_server(target.socket).value();
  BOOST_CHECK(bench.connect(target).error().code() == ErrorCode::Timeout);
}

BOOST_AUTO_TEST_CASE(an_attempt_may_be_taken_back) {
  NbdBench bench;
  NbdTarget target;
  target.socket = bench.directory.path() / "silent";
  const auto listener = listen_for_image_server(target.socket).value();
  bool called = false;
  {
    const NbdConnector connector(bench.loop, target, [&](auto) { called = true; });
    bench.loop.run_ready();
  }
  bench.loop.run_ready();
  BOOST_TEST(!called);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::block::test
