#pragma once

#include <net/capture/pcapng_writer.hpp>

namespace capsa::net {

/// A port of a switch as an interface of a capture. Single-threaded.
class PortCapture final : public FrameObserver {
 public:
  /// `writer` outlives this.
  PortCapture(PcapngWriter& writer, std::string_view name)
      : writer_(writer), interface_(writer.add_interface(name)) {}

  void observe(FrameDirection direction, const Frame& frame,
               std::chrono::steady_clock::time_point now) override {
    writer_.write(interface_, direction, frame.bytes(), now);
  }
  PcapngWriter::Interface interface() const noexcept { return interface_; }

 private:
  PcapngWriter& writer_;
  const PcapngWriter::Interface interface_;
};

}  // namespace capsa::net
