#pragma once

#include <cstdint>
#include <string>

namespace capsa::agent {

/// Why a tree cannot be copied any further. The same on both sides: each turns it into its own kind
/// of error.
struct TreeFailure {
  enum class Kind : std::uint8_t {
    System,       ///< the kernel refused what `message` names; `number` says why
    Unsupported,  ///< the tree holds what is not copied
    Limit,        ///< more than TreeLimits
    Malformed,    ///< the other side sends what is no tree
  };
  Kind kind;
  std::string message;
  int number = 0;  ///< errno(3)
};

/// What one copy may carry. Only the host sets them: the guest is what they protect it from.
struct TreeLimits {
  std::uint64_t entries = UINT64_MAX;
  std::uint64_t bytes = UINT64_MAX;
};

}  // namespace capsa::agent
