#pragma once

#include <cstdint>
#include <deque>
#include <net/frame_port.hpp>

namespace capsa::net {

/// Two ports joined in memory: what is sent at one end is received at the other at the next pump().
/// For tests, and for devices joined on one thread. Single-threaded.
class FramePair {
 public:
  /// `capacity`: frames on the way in each direction; see FramePort::credit().
  explicit FramePair(std::size_t capacity = FrameBatch::kMaxFrames,
                     Offloads offloads = kAllOffloads);
  FramePair(const FramePair&) = delete;
  FramePair& operator=(const FramePair&) = delete;

  FramePort& a() noexcept { return a_; }
  FramePort& b() noexcept { return b_; }

  /// Hands over what was on the way when it was called, in both directions, and then tells the
  /// senders that there is credit again. True where there was anything to do.
  bool pump();
  /// Frames that nobody received, or that were not acceptable.
  std::uint64_t dropped() const noexcept { return a_.dropped_ + b_.dropped_; }

 private:
  class End final : public FramePort {
   public:
    End(std::size_t capacity, Offloads offloads) : capacity_(capacity), offloads_(offloads) {}
    void attach(FrameReceiver* receiver) override { receiver_ = receiver; }
    std::size_t credit() const override;
    std::size_t send(FrameBatch& batch) override;
    Offloads offloads() const override { return offloads_; }

   private:
    friend class FramePair;
    bool deliver_to(End& other);
    bool return_credit();

    std::size_t capacity_;
    Offloads offloads_;
    FrameReceiver* receiver_ = nullptr;
    std::deque<FrameBatch> on_the_way_;
    std::size_t frames_ = 0;  // in on_the_way_
    mutable bool waited_for_ = false;
    std::uint64_t dropped_ = 0;
  };

  End a_;
  End b_;
};

}  // namespace capsa::net
