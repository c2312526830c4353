#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <net/frame_batch.hpp>
#include <net/gso/tcp_frame.hpp>
#include <span>

namespace capsa::net::gso {

/// Joins TCP segments of one flow that follow each other within one batch into one large segment
/// (FrameMeta::gso), for a receiver that takes such frames: it then goes once through its stack,
/// not 40 times. Nothing is kept from batch to batch. Single-threaded; warm, it allocates nothing.
///
/// Only what a Segmenter cuts into the very same bytes again is joined: the same headers but for
/// what counts up, whole packets without IP options, right checksums, all of one size but the last,
/// FIN and PSH on the last only, CWR on the first only. Frames of one flow keep their order; those
/// of different flows may overtake each other within the batch.
class Coalescer {
 public:
  /// `pool` gives the buffers of the large segments. Where it gives none, frames stay as they are.
  explicit Coalescer(std::shared_ptr<FramePool> pool) : pool_(std::move(pool)) {}

  /// `receiver` is what is taken where the result goes. Frames that were moved out of the batch are
  /// left out.
  FrameBatch coalesce(FrameBatch batch, const Offloads& receiver);

  /// Large segments made, and segments that are in them, since construction.
  std::uint64_t made() const noexcept { return made_; }
  std::uint64_t joined() const noexcept { return joined_; }

 private:
  /// A frame of the batch, and those that are joined to it.
  struct Plan {
    std::uint16_t count = 1;  // frames; 0 where it is joined to another
    std::uint16_t next = 0;   // index of the one joined to this one; 0 for none
    std::size_t payload = 0;  // of all of them
    TcpFrame tcp;
  };
  /// A large segment that may still grow.
  struct Flow {
    std::uint16_t head = 0;  // indices of its first and its last frame
    std::uint16_t last = 0;
    std::size_t size = 0;  // payload of its first
    std::uint32_t sequence = 0;
    std::uint16_t identification = 0;  // of IPv4; both as the next one has them
  };

  void look_at(const FrameBatch& batch, std::uint16_t index, const Offloads& receiver);
  bool extend(const FrameBatch& batch, Flow& flow, std::uint16_t index, const TcpFrame& tcp);
  void close(std::size_t flow) noexcept { flows_[flow] = flows_[--open_]; }
  Frame join(const FrameBatch& batch, std::uint16_t head);
  void keep_apart(std::uint16_t head) noexcept;

  // A batch holds few flows worth joining; of more, one makes way.
  static constexpr std::size_t kFlows = 8;

  std::shared_ptr<FramePool> pool_;
  std::array<Plan, FrameBatch::kMaxFrames> plan_;
  std::array<Flow, kFlows> flows_;
  std::size_t open_ = 0;
  std::size_t found_ = 0;  // frames joined to another
  std::uint64_t made_ = 0;
  std::uint64_t joined_ = 0;
};

}  // namespace capsa::net::gso
