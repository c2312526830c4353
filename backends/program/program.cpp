#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <backends/program/program.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <optional>

extern char** environ;

namespace capsa::program {
namespace {

constexpr std::size_t kMaxOutput = std::size_t{4} * 1024 * 1024;
constexpr std::size_t kMaxLine = 4096;  // longer ones are cut: they are shown to a person

struct Pipe {
  UniqueFd read_end;
  UniqueFd write_end;
};

result<Pipe> make_pipe() {
  std::array<int, 2> ends = {-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return error_from_errno(errno, "create a pipe");
  return Pipe{UniqueFd(ends[0]), UniqueFd(ends[1])};
}

/// Cuts a stream into lines; remembers the last that is not blank.
class Lines {
 public:
  void feed(std::string_view bytes, const std::function<void(std::string_view)>& each) {
    for (const char c : bytes) {
      if (c != '\n' && c != '\r') {
        if (line_.size() < kMaxLine) line_ += c;
        continue;
      }
      end(each);
    }
  }
  void end(const std::function<void(std::string_view)>& each) {
    if (line_.find_first_not_of(" \t") != std::string::npos) {
      last_ = line_;
      if (each) each(line_);
    }
    line_.clear();
  }
  const std::string& last() const noexcept { return last_; }

 private:
  std::string line_;
  std::string last_;
};

/// File actions and attributes of one posix_spawn(3), freed together.
class SpawnPlan {
 public:
  SpawnPlan() {
    ::posix_spawn_file_actions_init(&actions_);
    ::posix_spawnattr_init(&attributes_);
    sigset_t none;
    ::sigemptyset(&none);
    ::posix_spawnattr_setsigmask(&attributes_, &none);
    ::posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK);
  }
  SpawnPlan(const SpawnPlan&) = delete;
  SpawnPlan& operator=(const SpawnPlan&) = delete;
  ~SpawnPlan() {
    ::posix_spawn_file_actions_destroy(&actions_);
    ::posix_spawnattr_destroy(&attributes_);
  }

  int spawn(pid_t& pid, const Command& command, int out, int err) {
    ::posix_spawn_file_actions_addopen(&actions_, 0, "/dev/null", O_RDONLY, 0);
    ::posix_spawn_file_actions_adddup2(&actions_, out, 1);
    ::posix_spawn_file_actions_adddup2(&actions_, err, 2);
    if (!command.directory.empty())
      ::posix_spawn_file_actions_addchdir_np(&actions_, command.directory.c_str());
    std::vector<char*> arguments;
    for (const auto& word : command.words)
      arguments.push_back(const_cast<char*>(word.c_str()));
    arguments.push_back(nullptr);
    // Messages are looked at and shown: in one language.
    std::string locale = "LC_ALL=C";
    std::vector<char*> environment = {locale.data()};
    for (char** variable = environ; *variable != nullptr; ++variable)
      if (!std::string_view(*variable).starts_with("LC_ALL=")) environment.push_back(*variable);
    environment.push_back(nullptr);
    return ::posix_spawnp(&pid, arguments[0], &actions_, &attributes_, arguments.data(),
                          environment.data());
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

/// Reads once; false at the end of the stream.
bool drain(int fd, const std::function<void(std::string_view)>& take) {
  std::array<char, 16384> buffer;
  const auto n = ::read(fd, buffer.data(), buffer.size());
  if (n > 0) take({buffer.data(), static_cast<std::size_t>(n)});
  return n > 0 || (n < 0 && errno == EINTR);
}

/// The status of a child that ended; none where somebody else (SIGCHLD ignored) took it.
std::optional<int> wait_for(pid_t pid) {
  int status = 0;
  pid_t ended = 0;
  do {
    ended = ::waitpid(pid, &status, 0);
  } while (ended < 0 && errno == EINTR);
  return ended == pid ? std::optional(status) : std::nullopt;
}

}  // namespace

result<std::string> run(const Command& command) {
  auto out = make_pipe();
  auto err = make_pipe();
  if (!out || !err) return !out ? out.error() : err.error();

  const std::string& program = command.words.front();
  pid_t pid = -1;
  const int failed = SpawnPlan().spawn(pid, command, out->write_end.get(), err->write_end.get());
  if (failed == ENOENT)
    return error(ErrorCode::NotFound, "the program " + program + " is not installed",
                 command.package.empty() ? "" : "install the package " + command.package);
  if (failed != 0) return error_from_errno(failed, "run " + program);
  out->write_end.reset();
  err->write_end.reset();

  std::string output;
  Lines output_lines;
  Lines error_lines;
  std::array<pollfd, 2> fds = {pollfd{out->read_end.get(), POLLIN, 0},
                               pollfd{err->read_end.get(), POLLIN, 0}};
  while (fds[0].fd >= 0 || fds[1].fd >= 0) {
    if (::poll(fds.data(), fds.size(), -1) < 0) continue;  // only EINTR is possible here
    if (fds[0].revents != 0 && !drain(fds[0].fd, [&](std::string_view bytes) {
          if (command.line) return output_lines.feed(bytes, command.line);
          output.append(bytes.substr(0, kMaxOutput - output.size()));
        }))
      fds[0].fd = -1;
    if (fds[1].revents != 0 &&
        !drain(fds[1].fd, [&](std::string_view bytes) { error_lines.feed(bytes, {}); }))
      fds[1].fd = -1;
  }
  output_lines.end(command.line);
  error_lines.end({});

  const auto ended = wait_for(pid);
  if (!ended) return error_from_errno(errno, "wait for " + program);
  const int status = *ended;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return output;
  std::string message = program;
  if (command.words.size() > 1) message += " " + command.words[1];
  message += WIFSIGNALED(status) ? " was ended by signal " + std::to_string(WTERMSIG(status))
                                 : " failed with status " + std::to_string(WEXITSTATUS(status));
  if (!error_lines.last().empty()) message += ": " + error_lines.last();
  return error(ErrorCode::IoError, message);
}

}  // namespace capsa::program
