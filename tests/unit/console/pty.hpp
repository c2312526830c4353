#pragma once

#include <sys/types.h>

#include <actors/console/core/waiters.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <functional>
#include <string>
#include <vector>

/// A program on a terminal of its own, and the console cores at the other end of it.
class Terminal {
 public:
  /// `environment` in full; `columns` wide. Exits 77 where there is no terminal or program.
  Terminal(std::vector<std::string> command, std::vector<std::string> environment,
           unsigned short columns = 80);
  ~Terminal();
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  /// Carries bytes until `done` or a minute has passed; gives whether it was done.
  bool run_until(const std::function<bool()>& done);
  void type(std::string_view bytes);

  capsa::result<capsa::ConsoleOutput> exec(std::string_view command);
  capsa::result<std::string> run_command(std::string command, std::string prompt);
  capsa::result<void> login(std::string user, std::optional<std::string> password);
  /// Waits for a pattern; gives the text through it.
  std::string wait_for(std::string pattern);

  capsa::console::Waiters& waiters() { return waiters_; }
  static capsa::console::TimePoint now() { return std::chrono::steady_clock::now(); }

 private:
  capsa::result<void> converse(std::shared_ptr<capsa::console::Conversation> talk);

  pid_t child_ = -1;
  capsa::UniqueFd fd_;
  capsa::console::Waiters waiters_;
};

/// Says why the tests of this program cannot run here, and ends it as skipped.
[[noreturn]] void skip(const std::string& why);
