#include <tools/benchmarks/child.hpp>

#include <capsa/result.hpp>

#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <utility>

namespace capsa::bench {

namespace {

using Clock = std::chrono::steady_clock;

// More than what a guest is given, on a busy host too: then it is the guest that is told of.
constexpr auto kLongest = std::chrono::minutes(3);

/// A socket and not a pipe: writing to a program that has ended is an error, not a signal.
std::pair<UniqueFd, UniqueFd> make_pair() {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    throw error_from_errno(errno, "make a pair of sockets");
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

}  // namespace

Child::Child(std::vector<std::string> words) : program_(words.front()) {
  auto [ours, its] = make_pair();
  std::vector<char*> argv;
  for (auto& word : words)
    argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, its.get(), STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, its.get(), STDOUT_FILENO);
  const int failed = ::posix_spawn(&pid_, argv[0], &actions, nullptr, argv.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) throw error_from_errno(failed, "start " + program_);
  stream_ = std::move(ours);
}

Child::~Child() {
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

void Child::write(std::string_view text) {
  while (!text.empty()) {
    const auto n = ::send(stream_.get(), text.data(), text.size(), MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) throw error_from_errno(errno, "write to " + program_);
    text.remove_prefix(static_cast<std::size_t>(n));
  }
}

bool Child::read_more(int timeout_ms) {
  pollfd entry{stream_.get(), POLLIN, 0};
  const int ready = ::poll(&entry, 1, timeout_ms);
  if (ready < 0 && errno == EINTR) return true;
  if (ready <= 0) throw error(ErrorCode::Timeout, program_ + " says no more; it said: " + read_);
  std::array<char, 4096> bytes{};
  const auto n = ::read(stream_.get(), bytes.data(), bytes.size());
  if (n > 0) read_.append(bytes.data(), static_cast<std::size_t>(n));
  return n > 0;
}

std::string Child::read_until(std::string_view text) {
  const auto until = Clock::now() + kLongest;
  while (true) {
    if (const auto at = read_.find(text); at != std::string::npos) {
      auto out = read_.substr(0, at + text.size());
      read_.erase(0, at + text.size());
      return out;
    }
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(until - Clock::now());
    if (left.count() <= 0 || !read_more(static_cast<int>(left.count())))
      throw error(ErrorCode::Timeout,
                  program_ + " never said \"" + std::string(text) + "\"; it said: " + read_);
  }
}

std::string Child::read_to_end() {
  while (read_more(static_cast<int>(std::chrono::milliseconds(kLongest).count()))) {
  }
  return std::exchange(read_, {});
}

}  // namespace capsa::bench
