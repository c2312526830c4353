#include <tools/benchmarks/bare_qemu.hpp>

#include <capsa/detail/unique_fd.hpp>
#include <capsa/result.hpp>

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <string>
#include <vector>

namespace capsa::bench {

namespace {

using Clock = std::chrono::steady_clock;

constexpr std::string_view kLine = "capsa-agent ready";
constexpr auto kLongest = std::chrono::minutes(1);

std::vector<std::string> arguments(const BareMachine& machine, const GuestAssets& guest) {
  std::string line = "console=ttyS0 capsa.ready=1 " + guest.command_line;
  return {
      machine.qemu,
      "-M",
      std::string("microvm,pit=on,pic=on,rtc=on,isa-serial=on,acpi=") + (guest.acpi ? "on" : "off"),
      "-accel",
      machine.kvm ? "kvm" : "tcg,thread=multi,tb-size=64",
      "-cpu",
      machine.kvm ? "host" : "max,la57=off",
      "-smp",
      std::to_string(machine.cpus),
      "-m",
      std::to_string(machine.memory_mb) + "M",
      "-nodefaults",
      "-no-user-config",
      "-no-reboot",
      "-display",
      "none",
      "-serial",
      "stdio",
      "-kernel",
      guest.kernel,
      "-initrd",
      guest.initrd,
      "-append",
      line};
}

/// Ends the process with the scope.
class Child {
 public:
  explicit Child(pid_t pid) : pid_(pid) {}
  ~Child() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

 private:
  pid_t pid_;
};

pid_t spawn(std::vector<std::string> words, int output) {
  std::vector<char*> argv;
  for (auto& word : words)
    argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  pid_t pid = 0;
  const int failed = ::posix_spawn(&pid, argv[0], &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) throw error_from_errno(failed, "start " + words.front());
  return pid;
}

}  // namespace

std::chrono::nanoseconds time_bare_boot(const BareMachine& machine, const GuestAssets& guest) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) throw error_from_errno(errno, "make a pipe");
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);
  const auto words = arguments(machine, guest);

  const auto begun = Clock::now();
  const Child child(spawn(words, write_end.get()));
  write_end.reset();
  std::string seen;
  while (seen.find(kLine) == std::string::npos) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(begun + kLongest - Clock::now());
    pollfd entry{read_end.get(), POLLIN, 0};
    std::array<char, 4096> bytes{};
    const auto ready = left.count() > 0 ? ::poll(&entry, 1, static_cast<int>(left.count())) : 0;
    if (ready < 0 && errno == EINTR) continue;
    const auto n = ready > 0 ? ::read(read_end.get(), bytes.data(), bytes.size()) : 0;
    if (n <= 0)
      throw error(ErrorCode::Timeout,
                  "bare QEMU never said \"" + std::string(kLine) + "\"; it said: " + seen);
    seen.append(bytes.data(), static_cast<std::size_t>(n));
  }
  return Clock::now() - begun;
}

}  // namespace capsa::bench
