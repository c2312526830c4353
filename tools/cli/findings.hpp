#pragma once

#include <backends/runtime_dir/runtime_dir.hpp>
#include <string>
#include <vector>

namespace capsa::cli {

/// One thing that a machine needs, or would be better with.
struct Finding {
  std::string name;  ///< "qemu"
  bool ok = false;
  bool required = false;  ///< `capsa run` does not work without
  std::string detail;     ///< what was found, or why it is missing
  std::string hint;       ///< what to do where it is missing
};

struct Diagnosis {
  std::vector<Finding> findings;
  std::vector<Leftover> leftovers;  ///< of programs that are gone; removed by now
  bool ready() const;               ///< whether `capsa run` works
};

/// Looks at this machine, and removes leftovers. Blocks.
Diagnosis diagnose();

/// A way to run machines.
struct BackendInfo {
  std::string name;  ///< "qemu"
  std::string accelerator;
  bool available = false;
  std::string detail;     ///< which program, or why not
  std::string isolation;  ///< what the boundary around a guest is worth
};
std::vector<BackendInfo> list_backends();

std::string to_text(const Diagnosis& diagnosis);
std::string to_json(const Diagnosis& diagnosis);
std::string to_text(const std::vector<BackendInfo>& backends);
std::string to_json(const std::vector<BackendInfo>& backends);

}  // namespace capsa::cli
