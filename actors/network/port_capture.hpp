#pragma once

#include <actors/network/loop_sink.hpp>
#include <net/capture/pcapng_writer.hpp>
#include <net/capture/port_capture.hpp>
#include <string>

namespace capsa::network {

/// A port's frames, into a file or pipe that was opened for it. On one loop.
class Capture {
 public:
  Capture(Loop& loop, UniqueFd file, const std::string& port);
  Capture(const Capture&) = delete;
  Capture& operator=(const Capture&) = delete;
  /// Writes the counters at the end.
  ~Capture();

  net::FrameObserver& observer() noexcept { return port_; }
  /// To be called behind what was captured: a pipe may have to be waited for.
  void flush() { out_.flush(); }

 private:
  Loop& loop_;
  LoopSink out_;
  net::PcapngWriter writer_;
  net::PortCapture port_;
};

}  // namespace capsa::network
