#pragma once

#include <cstddef>
#include <memory>
#include <net/frame_batch.hpp>
#include <net/switch/egress.hpp>
#include <net/switch/port_stats.hpp>

namespace capsa::net {

/// Frames on their way to one port, which become one batch. What the port does not take as it is
/// is done here: checksums completed, large segments cut. What it has no room for is lost, and
/// nobody else notices. Single-threaded.
class Output {
 public:
  /// All three outlive this; `pool` gives lists, and buffers of segments.
  Output(Egress& egress, FramePool& pool, PortStats& stats) noexcept
      : egress_(egress), pool_(pool), stats_(stats) {}

  bool empty() const noexcept { return batch_.empty(); }
  void push(Frame&& frame);
  void flush();

 private:
  void send(FrameBatch& batch);
  void make_acceptable(const Offloads& offloads);
  void drop(FrameDrop why, std::size_t frames) noexcept {
    stats_.drops[static_cast<std::size_t>(why)] += frames;
  }

  Egress& egress_;
  FramePool& pool_;
  PortStats& stats_;
  FrameBatch batch_;
  bool has_list_ = false;  // batch_ came from the pool and was not sent yet
};

}  // namespace capsa::net
