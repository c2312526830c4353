#pragma once

#include <actors/network/loop_sink.hpp>
#include <chrono>
#include <cstdint>
#include <net/policy/events.hpp>
#include <string>

namespace capsa::network {

/// A flow log, line by line, into a file or pipe that was opened for it. On one loop.
class FlowFile {
 public:
  FlowFile(Loop& loop, UniqueFd file) : out_(loop, std::move(file), kBuffer) {}

  void write(const net::FlowBegin& flow);
  /// To be called behind what was written: a pipe may have to be waited for.
  void flush() { out_.flush(); }

 private:
  // Some five hundred lines.
  static constexpr std::size_t kBuffer = std::size_t{64} << 10;

  LoopSink out_;
  std::uint64_t lost_ = 0;  // lines since the last that was written
};

/// The line of a flow that began at `when`, with its end.
std::string flow_line(const net::FlowBegin& flow, std::chrono::system_clock::time_point when);

}  // namespace capsa::network
