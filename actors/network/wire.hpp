#pragma once

#include <actors/protocol/network.hpp>
#include <algorithm>
#include <cstdint>
#include <utility>

namespace capsa::network {

/// One end of a wire between two actors: what is sent, and what is owed. Belongs to the actor's
/// thread.
class Wire {
 public:
  /// Frames that may be under way in one direction: the rings of a guest with a few queues, or
  /// several of the batches that one step gives.
  static constexpr std::uint32_t kWindow = 1024;

  Wire() = default;
  Wire(protocol::WireId id, protocol::WireEndActor peer) : id_(id), peer_(std::move(peer)) {}

  protocol::WireId id() const noexcept { return id_; }
  const protocol::WireEndActor& peer() const noexcept { return peer_; }

  /// Frames that can be sent now.
  std::size_t credit() const noexcept {
    starved_ = starved_ || credit_ == 0;
    return credit_;
  }
  /// Takes frames from the front, as many as there is credit for.
  std::size_t send(net::FrameBatch& batch);
  /// True where somebody saw that there was none, and there is some now.
  bool granted(std::uint32_t frames) {
    credit_ = std::min(kWindow, credit_ + std::min(frames, kWindow));
    return credit_ != 0 && std::exchange(starved_, false);
  }
  /// Frames of the other end have been handled. It is told in a quarter of the window at a time.
  void handled(std::size_t frames);

  /// What the other end takes as it is.
  const net::Offloads& offloads() const noexcept { return offloads_; }
  void set_offloads(const net::Offloads& offloads) noexcept { offloads_ = offloads; }
  /// Tells the other end, where it has been told otherwise before.
  void tell_offloads(const net::Offloads& ours);

 private:
  protocol::WireId id_ = 0;
  protocol::WireEndActor peer_;
  std::uint32_t credit_ = kWindow;
  std::uint32_t owed_ = 0;
  mutable bool starved_ = false;
  net::Offloads offloads_;
  net::Offloads told_;
};

}  // namespace capsa::network
