#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <tools/cli/terminal.hpp>

namespace capsa::cli {
namespace {

// For the handler of fatal signals, which can be given nothing.
struct termios saved_mode;
volatile sig_atomic_t is_raw = 0;

constexpr std::array kFatal = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};

/// Only async-signal-safe calls: tcsetattr(3) and raise(3) are.
void restore_and_die(int signal_number) {
  if (is_raw != 0) ::tcsetattr(STDIN_FILENO, TCSANOW, &saved_mode);
  ::raise(signal_number);
}

void set_raw() {
  struct termios raw = saved_mode;
  ::cfmakeraw(&raw);
  ::tcsetattr(STDIN_FILENO, TCSADRAIN, &raw);
  is_raw = 1;
}

}  // namespace

void open_standard_fds() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (::fcntl(fd, F_GETFD) >= 0 || errno != EBADF) continue;
    // The lowest free number is this one: those below it are open by now.
    [[maybe_unused]] const int opened =
        ::open("/dev/null", fd == STDIN_FILENO ? O_RDONLY : O_WRONLY);
  }
}

std::optional<PtySize> terminal_size() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    struct winsize size {};
    if (::ioctl(fd, TIOCGWINSZ, &size) != 0) continue;
    if (size.ws_row != 0 && size.ws_col != 0) return PtySize{size.ws_row, size.ws_col};
  }
  return std::nullopt;
}

result<RawTerminal> RawTerminal::enter() {
  if (::isatty(STDIN_FILENO) == 0)
    return error(ErrorCode::NotFound, "standard input is not a terminal");
  if (::tcgetattr(STDIN_FILENO, &saved_mode) != 0)
    return error_from_errno(errno, "read the terminal's mode");
  struct sigaction action {};
  action.sa_handler = restore_and_die;
  // The second time, raised by the handler, the signal ends the program as it would have.
  action.sa_flags = static_cast<int>(SA_RESETHAND);
  for (const int signal_number : kFatal)
    ::sigaction(signal_number, &action, nullptr);
  set_raw();
  return RawTerminal();
}

RawTerminal::RawTerminal(RawTerminal&& other) noexcept
    : active_(std::exchange(other.active_, false)) {}

void RawTerminal::reenter() {
  if (active_) set_raw();
}

void RawTerminal::restore() {
  if (!std::exchange(active_, false)) return;
  // Output that is on its way is still written in raw mode.
  ::tcsetattr(STDIN_FILENO, TCSADRAIN, &saved_mode);
  is_raw = 0;
}

}  // namespace capsa::cli
