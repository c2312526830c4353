#pragma once

#include <cstddef>
#include <span>

namespace capsa::net {

/// Where a capture goes. Single-threaded; blocks nowhere.
class CaptureSink {
 public:
  virtual ~CaptureSink() = default;
  /// Takes all of `bytes`, or nothing and says false.
  virtual bool write(std::span<const std::byte> bytes) = 0;
};

}  // namespace capsa::net
