#pragma once

#include <capsa/result.hpp>
#include <cstdint>
#include <deque>
#include <memory>
#include <net/frame_port.hpp>
#include <net/tap/tap_device.hpp>
#include <string>
#include <vector>

namespace capsa::net {

/// Counters since construction; every frame that is not handed on is in one of them.
struct TapStats {
  std::uint64_t sent_frames = 0;  ///< to the kernel
  std::uint64_t sent_bytes = 0;
  std::uint64_t received_frames = 0;
  std::uint64_t received_bytes = 0;
  std::uint64_t send_refused = 0;    ///< the kernel did not want it: the interface is down, mostly
  std::uint64_t send_no_memory = 0;  ///< no buffer of our own for a frame that has to wait
  std::uint64_t receive_bad = 0;     ///< no frame, or one that does not fit its header
  std::uint64_t receive_unaccepted = 0;  ///< the receiver does not take such frames
  std::uint64_t receive_no_memory = 0;
};

/// A TAP interface of Linux as a FramePort: the far side is the kernel's stack. It takes frames
/// with all offloads, and gives such as its receiver took when it attached; see offloads_changed().
/// Single-threaded; knows no event loop: whoever watches the fd calls on_readable() and
/// on_writable().
class Tap final : public FramePort {
 public:
  /// Frames that wait until the kernel has room for them: one ring of the usual size.
  static constexpr std::size_t kBacklog = 256;

  /// `pool` bounds what is read and what waits. Errors of the kernel.
  static result<std::unique_ptr<Tap>> create(TapDevice device, std::shared_ptr<FramePool> pool);
  Tap(const Tap&) = delete;
  Tap& operator=(const Tap&) = delete;

  // -- FramePort
  void attach(FrameReceiver* receiver) override;
  std::size_t credit() const override;
  std::size_t send(FrameBatch& batch) override;
  Offloads offloads() const override { return kAllOffloads; }

  // -- for whoever watches the fd; these call the receiver
  int fd() const noexcept { return device_.fd.get(); }
  /// Reads one batch at most. True where there may be more: then it is called again, also without
  /// an event, once all that shares the thread has had a turn.
  bool on_readable();
  /// Frames wait: on_writable() is to be called when the fd is writable.
  bool wants_write() const noexcept { return !waiting_.empty(); }
  void on_writable();
  /// The receiver takes other frames now.
  void offloads_changed();

  /// The interface is gone: somebody has deleted it. Nothing comes any more, and the fd need not be
  /// watched.
  bool gone() const noexcept { return gone_; }

  /// Of the interface.
  const std::string& name() const noexcept { return device_.name; }
  const TapStats& stats() const noexcept { return stats_; }

 private:
  enum class Read : std::uint8_t { Frame, Nothing, Lost };

  Tap(TapDevice device, std::shared_ptr<FramePool> pool);

  bool write(const Frame& frame);
  Read read(FrameBatch& batch);

  TapDevice device_;
  std::shared_ptr<FramePool> pool_;
  FrameReceiver* receiver_ = nullptr;
  std::vector<std::byte> scratch_;  // of one frame and its header: its length is not known before
  std::deque<Frame> waiting_;
  bool gone_ = false;
  mutable bool waited_for_ = false;  // somebody has seen that there is no credit
  TapStats stats_;
};

}  // namespace capsa::net
