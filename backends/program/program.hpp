#pragma once

#include <capsa/result.hpp>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace capsa::program {

struct Command {
  std::vector<std::string> words;        ///< the program, looked up in PATH, and arguments
  std::filesystem::path directory = {};  ///< where it runs; empty: here
  std::function<void(std::string_view)> line =
      {};                    ///< each line of its output; empty: returned instead
  std::string package = {};  ///< what to install where the program is missing
};

/// Runs a program to its end, in the C locale, with no input, and returns its output (at most
/// 4 MiB; none where `line` takes it). Blocks. NotFound where the program does not exist; IoError
/// where it ends with another status than 0: the message has the last line of its error output.
result<std::string> run(const Command& command);

}  // namespace capsa::program
