#include "pty.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <actors/console/core/exec_parser.hpp>
#include <actors/console/core/login.hpp>
#include <actors/console/core/run_command.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>

using namespace capsa::console;

namespace {

constexpr std::chrono::seconds kPatience{60};

std::vector<char*> pointers(std::vector<std::string>& strings) {
  std::vector<char*> out;
  for (std::string& s : strings)
    out.push_back(s.data());
  out.push_back(nullptr);
  return out;
}

}  // namespace

void skip(const std::string& why) {
  std::fprintf(stderr, "skipped: %s\n", why.c_str());
  std::_Exit(77);
}

Terminal::Terminal(std::vector<std::string> command, std::vector<std::string> environment,
                   unsigned short columns)
    : waiters_([this](std::string bytes) { type(bytes); }) {
  if (::access(command.front().c_str(), X_OK) != 0) skip("no " + command.front());
  const auto argv = pointers(command);
  const auto envp = pointers(environment);
  winsize size{};
  size.ws_col = columns;
  size.ws_row = 24;
  int fd = -1;
  child_ = ::forkpty(&fd, nullptr, nullptr, &size);
  if (child_ < 0) skip("no pseudo-terminal can be opened");
  if (child_ == 0) {
    ::execve(argv[0], argv.data(), envp.data());
    ::_exit(127);
  }
  fd_.reset(fd);
  ::fcntl(fd, F_SETFL, O_NONBLOCK);
}

Terminal::~Terminal() {
  fd_.reset();  // hangs up
  ::kill(child_, SIGKILL);
  ::waitpid(child_, nullptr, 0);
}

void Terminal::type(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_.get(), bytes.data(), bytes.size());
    if (n > 0) {
      bytes.remove_prefix(static_cast<std::size_t>(n));
    } else {
      pollfd writable{fd_.get(), POLLOUT, 0};
      if (::poll(&writable, 1, 5000) != 1) return;
    }
  }
}

bool Terminal::run_until(const std::function<bool()>& done) {
  const TimePoint deadline = now() + kPatience;
  while (!done()) {
    const TimePoint until = std::min(deadline, waiters_.wakeup().value_or(deadline));
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - now());
    pollfd readable{fd_.get(), POLLIN, 0};
    ::poll(&readable, 1, static_cast<int>(std::max<long>(left.count(), 0)));
    char buffer[4096];
    const ssize_t n = ::read(fd_.get(), buffer, sizeof buffer);
    if (n > 0) waiters_.feed({buffer, static_cast<std::size_t>(n)}, now());
    waiters_.poke(now());
    if ((n < 0 && errno == EIO) || now() >= deadline) return done();
  }
  return true;
}

capsa::result<void> Terminal::converse(std::shared_ptr<Conversation> talk) {
  std::optional<capsa::result<void>> end;
  const auto id = waiters_.converse(
      std::move(talk), now(), [&end](capsa::result<void> outcome) { end = std::move(outcome); });
  if (!run_until([&end] { return end.has_value(); }))
    waiters_.cancel(id, waiters_.timeout_error(id, kPatience), now());
  return *end;
}

capsa::result<capsa::ConsoleOutput> Terminal::exec(std::string_view command) {
  auto script = ExecScript::make(command, fresh_nonce());
  if (!script) return script.error();
  const auto talk = std::make_shared<ExecParser>(std::move(*script));
  if (auto end = converse(talk); !end) return end.error();
  return talk->outcome();
}

capsa::result<std::string> Terminal::run_command(std::string command, std::string prompt) {
  auto made = RunCommand::make(std::move(command), std::move(prompt));
  if (!made) return made.error();
  const auto talk = std::make_shared<RunCommand>(std::move(*made));
  if (auto end = converse(talk); !end) return end.error();
  return talk->outcome();
}

capsa::result<void> Terminal::login(std::string user, std::optional<std::string> password) {
  auto made = Login::make(std::move(user), std::move(password));
  if (!made) return made.error();
  const auto talk = std::make_shared<Login>(std::move(*made));
  if (auto end = converse(talk); !end) return end.error();
  return talk->outcome();
}

std::string Terminal::wait_for(std::string pattern) {
  std::optional<std::string> text;
  (void)waiters_.wait_for(std::move(pattern), now(), [&](capsa::result<capsa::ConsoleMatch> m) {
    text = m.ok() ? m->text : std::string(m.error().what());
  });
  run_until([&] { return text.has_value(); });
  return text.value_or("(time-out)");
}
