#pragma once

#include <sys/types.h>

#include <capsa/detail/unique_fd.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace capsa::bench {

/// A program with its standard input and output at our end of a stream. Killed at the end of the
/// scope. Everything throws capsa::error.
class Child {
 public:
  explicit Child(std::vector<std::string> words);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  void write(std::string_view text);
  /// Reads until `text` has been written, and gives everything through it; what follows is kept.
  /// Timeout where it does not come within three minutes, or the program closes its output first.
  std::string read_until(std::string_view text);
  /// What is left until the program closes its output.
  std::string read_to_end();

 private:
  /// False at the end of the output.
  bool read_more(int timeout_ms);

  UniqueFd stream_;
  std::string program_;
  std::string read_;
  pid_t pid_ = 0;
};

}  // namespace capsa::bench
