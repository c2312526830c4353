#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <agent/host/session.hpp>
#include <array>
#include <boost/test/unit_test.hpp>
#include <condition_variable>
#include <filesystem>
#include <functional>
#include <tests/conformance/agent_guest.hpp>
#include <thread>

using namespace capsa;
using namespace std::chrono_literals;
using test::agent_guest;
using test::code_of;

namespace {

/// The session of the program that has the VM.
const AgentClient& own_agent() {
  return test::agent();
}

/// What a second program has: the socket of the agent's port, and the protocol.
class SecondProgram final : public agent::SessionOutput {
 public:
  SecondProgram() : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const auto path = agent_guest().vm.vsock_socket(sandbox::agent_port())->path();
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.native().copy(address.sun_path, sizeof address.sun_path - 1);
    BOOST_REQUIRE(::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    agent::Greeting greeting;
    greeting.controlling = false;
    session.start(greeting);
  }

  /// One request and its answer.
  template <class T>
  result<T> ask(const std::function<void(agent::Callback<T>)>& request) {
    std::optional<result<T>> answer;
    request([&](result<T> got) { answer = std::move(got); });
    run_until([&] { return answer.has_value(); });
    return std::move(*answer);
  }
  void run_until(const std::function<bool()>& done) {
    std::array<std::byte, 65536> bytes;
    while (!done()) {
      pollfd entry{fd_.get(), POLLIN, 0};
      BOOST_REQUIRE(::poll(&entry, 1, 60'000) > 0);
      const auto n = ::recv(fd_.get(), bytes.data(), bytes.size(), 0);
      BOOST_REQUIRE(n > 0);
      BOOST_REQUIRE(session.feed(std::span(bytes).first(static_cast<std::size_t>(n))).ok());
    }
  }

  void send(std::span<const std::byte> bytes) override {
    BOOST_REQUIRE(::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
                  static_cast<ssize_t>(bytes.size()));
  }
  void on_ready(const AgentVersion&) override { ready = true; }

  bool ready = false;
  agent::Session session{*this};

 private:
  UniqueFd fd_;
};

/// Whether a process of the guest has this in its command line; waits until `wanted` holds.
bool becomes(const std::string& marker, bool wanted) {
  // In brackets, so that the search does not find itself.
  const std::string pattern = "[" + marker.substr(0, 1) + "]" + marker.substr(1);
  auto spec =
      ExecSpec::shell_line("until " + std::string(wanted ? "" : "! ") +
                           "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' ' | grep -q '" +
                           pattern + "'; do sleep 0.1; done");
  spec.timeout = 30s;
  return own_agent().exec(spec).get().status.success();
}

/// Events of a VM, for whoever waits for one.
class Events {
 public:
  explicit Events(const VmHandle& vm)
      : subscription_(vm.subscribe([this](const VmEvent& event) {
          std::lock_guard lock(mutex_);
          seen_.push_back(event.kind);
          came_.notify_all();
        })) {}
  bool wait_for(VmEvent::Kind kind) {
    std::unique_lock lock(mutex_);
    return came_.wait_for(lock, 60s, [&] {
      const auto it = std::find(seen_.begin(), seen_.end(), kind);
      if (it == seen_.end()) return false;
      seen_.erase(seen_.begin(), it + 1);
      return true;
    });
  }

 private:
  std::mutex mutex_;
  std::condition_variable came_;
  std::vector<VmEvent::Kind> seen_;
  Subscription subscription_;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(several_clients_of_an_agent)

BOOST_AUTO_TEST_CASE(are_threads_of_one_program_with_handles_of_their_own) {
  constexpr int kThreads = 8;
  constexpr int kRounds = 12;
  std::array<int, kThreads> right{};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([t, &right] {
      const auto mine = agent_guest().vm.agent().get();
      for (int i = 0; i < kRounds; ++i) {
        const auto word = std::to_string(t) + "-" + std::to_string(i);
        const auto path = "/tmp/client-" + word;
        auto echoed = mine.exec("echo " + word);
        mine.write_file(path, word).get();
        if (mine.read_file(path).get() == word && echoed.get().stdout_data == word + "\n")
          ++right[static_cast<std::size_t>(t)];
        mine.remove(path).get();
      }
    });
  for (auto& thread : threads)
    thread.join();
  for (const int one : right)
    BOOST_TEST(one == kRounds);
}

BOOST_AUTO_TEST_CASE(are_other_programs_at_the_agents_socket) {
  auto ours = own_agent().open(ExecSpec::command({"sleep", "4801"})).get();
  {
    SecondProgram second;
    SecondProgram third;
    BOOST_TEST(second.ask<void>([&](auto done) { second.session.ping(done); }).ok());
    BOOST_TEST(third.ask<void>([&](auto done) { third.session.ping(done); }).ok());
    BOOST_TEST(second.ready);
    const auto info = second.ask<GuestInfo>([&](auto done) { second.session.info(done); });
    BOOST_TEST(info.value().kernel_release == own_agent().info().get().kernel_release);

    // Only the one that holds the VM may prepare its guest.
    SetupSpec setup;
    setup.hostname = "taken-over";
    const auto denied = second.ask<void>([&](auto done) { second.session.setup(setup, done); });
    BOOST_TEST_REQUIRE(!denied.ok());
    BOOST_TEST(denied.error().code() == ErrorCode::PermissionDenied);
    BOOST_TEST(own_agent().info().get().hostname != "taken-over");

    std::string out;
    agent::ExecEvents events;
    events.stdout_data = [&](std::span<const std::byte> bytes) { out += agent::as_text(bytes); };
    const auto status = second.ask<ExitStatus>([&](auto done) {
      events.done = done;
      second.session.exec(ExecSpec::shell_line("echo second; exit 4"), events);
    });
    BOOST_TEST(status.value().code == 4);
    BOOST_TEST(out == "second\n");

    // It leaves one running.
    bool started = false;
    agent::ExecEvents sleeper;
    sleeper.started = [&](std::int64_t) { started = true; };
    second.session.exec(ExecSpec::command({"sleep", "4802"}), sleeper);
    second.run_until([&] { return started; });
    BOOST_TEST(becomes("sleep 4802", true));
  }
  // With a connection go the processes that were started over it, and no others.
  BOOST_TEST(becomes("sleep 4802", false));
  BOOST_TEST(becomes("sleep 4801", true));
  ours.process.signal(15).get();
  BOOST_TEST(ours.process.wait().get().signal == 15);
}

BOOST_AUTO_TEST_CASE(a_connection_that_breaks_is_made_anew_while_the_vm_runs) {
  own_agent().copy_to(VSOCK_PEER, "/tmp/peer").get();
  Events events(agent_guest().vm);
  auto sleeper = own_agent().open(ExecSpec::command({"sleep", "4803"})).get();
  BOOST_TEST(becomes("sleep 4803", true));
  auto under_way = own_agent().exec("sleep 4804");
  auto end = sleeper.process.wait();
  auto read = sleeper.stdout_reader.read();
  // Root in the guest takes the agent's place and leaves at once: the link is on its own.
  auto intruder = own_agent().start(ExecSpec::command({"/tmp/peer", "intrude", "52"})).result();
  BOOST_TEST(events.wait_for(VmEvent::Kind::AgentLost));
  BOOST_TEST(code_of(std::move(under_way)) == ErrorCode::ConnectionClosed);
  BOOST_TEST(code_of(std::move(end)) == ErrorCode::ConnectionClosed);
  BOOST_TEST(code_of(std::move(read)) == ErrorCode::ConnectionClosed);
  // Who asks now waits for the next session.
  BOOST_TEST(own_agent().exec("echo again").get().stdout_data == "again\n");
  BOOST_TEST(events.wait_for(VmEvent::Kind::AgentReady));
  BOOST_TEST(becomes("sleep 4803", false));
  BOOST_TEST(becomes("sleep 4804", false));
  BOOST_TEST(code_of(sleeper.process.signal(15)) == ErrorCode::ConnectionClosed);
  BOOST_TEST(agent_guest().vm.status() == VmStatus::running());
  BOOST_TEST(agent_guest().vm.agent().get().exec("true").get().status.success());
}

BOOST_AUTO_TEST_SUITE_END()
