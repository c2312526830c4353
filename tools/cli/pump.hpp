#pragma once

#include <functional>
#include <string>
#include <thread>
#include <tools/cli/output.hpp>

namespace capsa::cli {

/// A thread that reads one of our descriptors and hands on what comes, one piece (64 KiB at most)
/// after the other. Joined on destruction: cancel before, and let `take` return.
class Pump {
 public:
  /// `take` may block, and so holds the writer at the other end back; false ends the pump.
  /// `end` is called once nothing more comes, unless the pump was ended before.
  Pump(int fd, const Cancel& cancel, std::function<bool(std::string)> take,
       std::function<void()> end);
  Pump(const Pump&) = delete;
  Pump& operator=(const Pump&) = delete;
  ~Pump() { thread_.join(); }

 private:
  std::thread thread_;
};

}  // namespace capsa::cli
