#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <backends/runtime_dir/process_identity.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <charconv>

namespace capsa {
namespace {

// The whole of /proc/PID/stat is below 1 KiB: 52 numbers and a name of at most 64 bytes.
std::optional<std::string> read_stat(pid_t pid) {
  const UniqueFd file(
      ::open(("/proc/" + std::to_string(pid) + "/stat").c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return std::nullopt;
  std::array<char, 2048> buffer{};
  const ssize_t length = ::read(file.get(), buffer.data(), buffer.size());
  if (length <= 0) return std::nullopt;
  return std::string(buffer.data(), static_cast<std::size_t>(length));
}

template <class T>
bool take_number(std::string_view& text, T& number) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc{} || end == text.data()) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

}  // namespace

std::optional<ProcessIdentity> identify_process(pid_t pid) {
  if (pid <= 0) return std::nullopt;
  const auto stat = read_stat(pid);
  if (!stat) return std::nullopt;
  // The name (field 2) is the process's own choice and may hold spaces and parentheses; the last
  // ")" is the kernel's. The state (field 3) follows it.
  const auto name_end = stat->rfind(") ");
  if (name_end == std::string::npos || name_end + 2 >= stat->size()) return std::nullopt;
  std::string_view rest = std::string_view(*stat).substr(name_end + 2);
  if (rest.front() == 'Z' || rest.front() == 'X') return std::nullopt;
  for (int field = 3; field < 22; ++field) {
    const auto space = rest.find(' ');
    if (space == std::string_view::npos) return std::nullopt;
    rest.remove_prefix(space + 1);
  }
  ProcessIdentity identity{pid, 0};
  if (!take_number(rest, identity.start_time)) return std::nullopt;
  return identity;
}

ProcessIdentity own_identity() {
  return identify_process(::getpid()).value_or(ProcessIdentity{::getpid(), 0});
}

bool is_alive(const ProcessIdentity& process) {
  return identify_process(process.pid) == process;
}

bool kill_process(const ProcessIdentity& process, std::chrono::milliseconds patience) {
  if (process.pid <= 1) return false;
  // The descriptor pins one process. Identity is checked after it is open: had the number been
  // handed on before, the start time would differ.
  const UniqueFd pidfd(static_cast<int>(::syscall(SYS_pidfd_open, process.pid, 0)));
  if (!pidfd || !is_alive(process)) return false;
  if (::syscall(SYS_pidfd_send_signal, pidfd.get(), SIGKILL, nullptr, 0) != 0) return false;
  pollfd ended{pidfd.get(), POLLIN, 0};
  return ::poll(&ended, 1, static_cast<int>(patience.count())) == 1;
}

std::optional<ProcessIdentity> parse_pid_file(std::string_view text) {
  ProcessIdentity identity;
  if (!take_number(text, identity.pid) || identity.pid <= 1) return std::nullopt;
  if (text.empty() || text.front() != ' ') return std::nullopt;
  text.remove_prefix(1);
  if (!take_number(text, identity.start_time)) return std::nullopt;
  if (text != "\n") return std::nullopt;
  return identity;
}

}  // namespace capsa
