#include <algorithm>
#include <net/gso/segmenter.hpp>
#include <net/offload.hpp>
#include <net/switch/output.hpp>

namespace capsa::net {
namespace {

std::size_t bytes_of(const FrameBatch& batch) noexcept {
  std::size_t bytes = 0;
  for (const Frame& frame : batch)
    if (frame) bytes += frame.size();
  return bytes;
}

}  // namespace

void Output::push(Frame&& frame) {
  if (batch_.full()) flush();
  if (!has_list_) batch_ = pool_.batch();
  has_list_ = true;
  batch_.push(std::move(frame));
}

void Output::flush() {
  if (empty()) return;
  const Offloads offloads = egress_.offloads();
  const bool acceptable = std::all_of(batch_.begin(), batch_.end(), [&](const Frame& frame) {
    return offloads.accepts(frame.meta());
  });
  if (acceptable)
    send(batch_);
  else
    make_acceptable(offloads);
  // The list has gone with the frames, as a rule.
  batch_ = FrameBatch();
  has_list_ = false;
}

void Output::send(FrameBatch& batch) {
  const std::size_t frames = batch.size();
  if (frames == 0) return;
  const std::size_t bytes = bytes_of(batch);
  egress_.send(batch);
  stats_.frames_out += frames - batch.size();
  stats_.bytes_out += bytes - bytes_of(batch);
  drop(FrameDrop::Overflow, batch.size());
  batch.clear();
}

void Output::make_acceptable(const Offloads& offloads) {
  // One frame may ask for thousands of segments: none is made that the port is not sure to take.
  std::size_t room = egress_.credit();
  FrameBatch out = pool_.batch();
  const auto push = [&](Frame frame) {
    if (out.full()) {
      send(out);
      out = pool_.batch();
    }
    out.push(std::move(frame));
    if (room > 0) --room;
  };
  const auto checksum = offloads.checksum ? gso::Segmenter::Checksum::LeftToReceiver
                                          : gso::Segmenter::Checksum::Complete;
  for (Frame& frame : batch_) {
    if (offloads.accepts(frame.meta())) {
      push(std::move(frame));
      continue;
    }
    if (frame.meta().gso == Gso::None) {
      if (complete_checksum(frame.bytes(), frame.meta()))
        push(std::move(frame));
      else
        drop(FrameDrop::Unsupported, 1);
      continue;
    }
    gso::Segmenter segments(frame, checksum);
    if (segments.left() == 0) drop(FrameDrop::Unsupported, 1);
    while (segments.left() > 0) {
      Frame segment = room > 0 ? segments.next(pool_) : Frame();
      if (!segment) {
        drop(room > 0 ? FrameDrop::NoMemory : FrameDrop::Overflow, segments.left());
        break;
      }
      push(std::move(segment));
    }
  }
  send(out);
}

}  // namespace capsa::net
