#include <fcntl.h>
#include <unistd.h>

#include <agent/guest/child.hpp>
#include <agent/guest/console_shell.hpp>
#include <agent/guest/early.hpp>
#include <agent/guest/proc_text.hpp>
#include <cerrno>
#include <cstring>

namespace capsa::agent::guest {

namespace {

using std::chrono::milliseconds;

// A shell that cannot run must not take the machine's time by starting over and over.
constexpr milliseconds kQuickEnd{1000};
constexpr milliseconds kPause{1000};

// The virtio console if there is one; else what the kernel's console really is, since /dev/console
// itself cannot be a controlling terminal.
UniqueFd open_console() {
  constexpr int kFlags = O_RDWR | O_NOCTTY | O_CLOEXEC;
  UniqueFd console(::open("/dev/hvc0", kFlags));
  if (console) return console;
  const std::string active = read_text("/sys/class/tty/console/active");
  const auto names = split(trimmed(active), ' ');
  if (names.back().empty()) return UniqueFd();
  return UniqueFd(::open(("/dev/" + std::string(names.back())).c_str(), kFlags));
}

}  // namespace

void ConsoleShell::start() {
  stopped_ = false;
  spawn();
}

void ConsoleShell::stop() {
  stopped_ = true;
  loop_.cancel(timer_);
}

void ConsoleShell::spawn_after(milliseconds delay) {
  if (stopped_) return;
  timer_ = loop_.call_after(delay, [this] { spawn(); });
}

void ConsoleShell::spawn() {
  const UniqueFd console = open_console();
  if (!console) return log_line("no console for a shell");
  ChildPlan plan;
  plan.argv = {"/bin/sh", "-l"};
  plan.env = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
              "HOME=/root",
              "USER=root",
              "LOGNAME=root",
              "SHELL=/bin/sh",
              "TERM=vt220"};
  plan.working_dir = "/root";
  plan.may_miss_working_dir = true;
  plan.stdin_fd = plan.stdout_fd = plan.stderr_fd = console.get();
  plan.terminal = true;
  Child child;
  spawned_at_ = loop_.now();
  if (const int failure = start_child(plan, child); failure != 0) {
    log_line(std::string("start a console shell: ") + std::strerror(failure));
    return spawn_after(kPause);
  }
  reaper_.track(child.pid, [this](int) {
    const bool quick = loop_.now() - spawned_at_ < kQuickEnd;
    spawn_after(quick ? kPause : milliseconds(0));
  });
}

}  // namespace capsa::agent::guest
