#pragma once

#include <capsa/detail/unique_fd.hpp>
#include <capsa/loop.hpp>
#include <chrono>
#include <cstdint>
#include <net/capture/fd_sink.hpp>
#include <net/policy/events.hpp>
#include <string>

namespace capsa::network {

/// A flow log, line by line, into a file or pipe that was opened for it. On one loop.
class FlowFile {
 public:
  FlowFile(Loop& loop, UniqueFd file) : loop_(loop), sink_(std::move(file), kBuffer) {}
  FlowFile(const FlowFile&) = delete;
  FlowFile& operator=(const FlowFile&) = delete;
  ~FlowFile();

  void write(const net::FlowBegin& flow);
  /// To be called behind what was written: a pipe may have to be waited for.
  void flush();

 private:
  // Some five hundred lines.
  static constexpr std::size_t kBuffer = std::size_t{64} << 10;

  Loop& loop_;
  net::FdSink sink_;
  std::uint64_t lost_ = 0;  // lines since the last that was written
  bool watched_ = false;
};

/// The line of a flow that began at `when`, with its end.
std::string flow_line(const net::FlowBegin& flow, std::chrono::system_clock::time_point when);

}  // namespace capsa::network
