#pragma once

#include <cstddef>
#include <net/frame_batch.hpp>
#include <net/frame_meta.hpp>

namespace capsa::net {

/// Who sits at the near side of a FramePort. Called on the port's thread, never from inside a call
/// into the port.
class FrameReceiver {
 public:
  virtual ~FrameReceiver() = default;
  /// Frames from the far side. What the receiver cannot keep it drops and counts: whoever sent
  /// them does not wait for it.
  virtual void receive(FrameBatch batch) = 0;
  /// FramePort::credit() had come to 0 and is more now.
  virtual void credit_available() = 0;
  /// What this side takes; may change as drivers come and go. What it does not accept is dropped
  /// and counted.
  virtual Offloads offloads() const = 0;
  bool accepts(const FrameMeta& meta) const { return offloads().accepts(meta); }
};

/// One end of a wire for Ethernet frames: what is sent goes to the far side, what comes from there
/// goes to the receiver. Single-threaded; no call blocks, and none calls the receiver back.
class FramePort {
 public:
  virtual ~FramePort() = default;
  /// Who receives from now on; null for nobody, and then what comes is dropped.
  virtual void attach(FrameReceiver* receiver) = 0;
  /// How many frames send() is sure to take now. After it was 0, and the receiver saw that,
  /// FrameReceiver::credit_available() follows once there is some. It is what bounds the frames in
  /// flight: a sender that can hold frames back (a guest's ring) asks before it takes them.
  virtual std::size_t credit() const = 0;
  /// Takes frames from the front of `batch` and says how many: at least as many as credit() said.
  /// The rest stays in `batch`, for the sender to drop and count. Each must be accepted() by the
  /// port; those that are not are taken, dropped and counted there.
  virtual std::size_t send(FrameBatch& batch) = 0;
  /// What the far side takes, the same for the life of the port.
  virtual Offloads offloads() const = 0;
  bool accepts(const FrameMeta& meta) const { return offloads().accepts(meta); }
};

}  // namespace capsa::net
