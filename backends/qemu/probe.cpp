#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <backends/kvm_device.hpp>
#include <backends/qemu/probe.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <optional>

extern char** environ;  // environ(7)

namespace capsa::qemu {
namespace {

using std::chrono::steady_clock;

constexpr const char* kProgram = "qemu-system-x86_64";
constexpr const char* kInstallHint =
    "apt-get install qemu-system-x86, or name a QEMU by the option or by CAPSA_QEMU";
// A loaded machine may take seconds to load a program; one that takes longer hangs.
constexpr std::chrono::seconds kVersionPatience{10};
constexpr std::size_t kMaxVersionOutput = 4096;

bool is_program(const std::filesystem::path& file) {
  std::error_code failed;
  return std::filesystem::is_regular_file(file, failed) && ::access(file.c_str(), X_OK) == 0;
}

std::optional<std::filesystem::path> search_path(std::string_view name) {
  const char* variable = std::getenv("PATH");
  std::string_view rest = variable != nullptr ? variable : "/usr/local/bin:/usr/bin:/bin";
  while (!rest.empty()) {
    const auto end = rest.find(':');
    const auto directory = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (directory.empty()) continue;  // "here" is not where a hypervisor comes from
    auto file = std::filesystem::path(directory) / name;
    if (is_program(file)) return file;
  }
  return std::nullopt;
}

result<std::filesystem::path> locate(const std::filesystem::path& explicit_path) {
  std::filesystem::path named = explicit_path;
  if (named.empty()) {
    if (const char* variable = std::getenv("CAPSA_QEMU"); variable != nullptr) named = variable;
  }
  if (!named.empty()) {
    // Without a slash it is a name like any other command's.
    if (named.native().find('/') == std::string::npos) {
      if (auto found = search_path(named.native())) return *found;
    } else if (is_program(named)) {
      return named;
    }
    return error(ErrorCode::BackendUnavailable, named.string() + " is not a program", kInstallHint);
  }
  if (auto found = search_path(kProgram)) return *found;
  return error(ErrorCode::BackendUnavailable, std::string(kProgram) + " is not installed",
               kInstallHint);
}

// Everything the child writes until it ends or the patience does.
std::string read_until_end(int pipe, steady_clock::time_point deadline) {
  std::string output;
  std::array<char, 1024> chunk{};
  while (output.size() < kMaxVersionOutput) {
    const auto left =
        std::chrono::duration_cast<std::chrono::milliseconds>(deadline - steady_clock::now());
    if (left.count() <= 0) break;
    pollfd wait{pipe, POLLIN, 0};
    const int ready = ::poll(&wait, 1, static_cast<int>(left.count()));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) break;
    const ssize_t length = ::read(pipe, chunk.data(), chunk.size());
    if (length <= 0) break;
    output.append(chunk.data(), static_cast<std::size_t>(length));
  }
  return output;
}

result<std::string> run_for_version(const std::filesystem::path& program) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return error_from_errno(errno, "pipe");
  const UniqueFd read_end(ends[0]);
  UniqueFd write_end(ends[1]);

  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, write_end.get(), 1);
  ::posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  std::string name = program.native();
  std::string option = "--version";
  std::array<char*, 3> arguments{name.data(), option.data(), nullptr};
  pid_t pid = 0;
  const int failed =
      ::posix_spawn(&pid, program.c_str(), &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0)
    return error(ErrorCode::BackendUnavailable,
                 error_from_errno(failed, "run " + program.string()).message(), kInstallHint);
  write_end.reset();
  std::string output = read_until_end(read_end.get(), steady_clock::now() + kVersionPatience);
  ::kill(pid, SIGKILL);  // it has said what it had to say
  while (::waitpid(pid, nullptr, 0) < 0 && errno == EINTR) {
  }
  return output;
}

}  // namespace

result<QemuInfo> find_qemu(const std::filesystem::path& explicit_path) {
  auto program = locate(explicit_path);
  if (!program) return program.error();
  const auto output = run_for_version(*program);
  if (!output) return output.error();
  const auto version = parse_version(*output);
  if (!version)
    return error(ErrorCode::BackendUnavailable,
                 program->string() + " does not tell a version: it is no QEMU, or it does not run",
                 kInstallHint);
  if (*version < kOldestQemu)
    return error(ErrorCode::UnsupportedFeature,
                 program->string() + " is version " + to_string(*version) + ", " +
                     to_string(kOldestQemu) + " or newer is needed",
                 kInstallHint);
  QemuInfo info{*program, *version, true, {}};
  if (const auto kvm = hypervisor::probe_kvm(); !kvm) {
    info.kvm = false;
    info.kvm_reason = kvm.error().message();
    if (!kvm.error().hint().empty()) info.kvm_reason += "; " + kvm.error().hint();
  }
  return info;
}

}  // namespace capsa::qemu
