#pragma once

#include <sys/types.h>

#include <chrono>
#include <optional>
#include <string>
#include <vector>

namespace capsa::bench {

/// Where a program is that is found by PATH; nothing where it is not installed.
std::optional<std::string> find_program(const std::string& name);

/// A program that works by itself, with nothing as its input and output. Killed at the end of the
/// scope. Throws capsa::error.
class Program {
 public:
  explicit Program(std::vector<std::string> words);
  ~Program();
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  /// CPU time of all its threads so far; throws where it has ended.
  std::chrono::nanoseconds cpu() const;

 private:
  std::string name_;
  pid_t pid_ = 0;
};

}  // namespace capsa::bench
