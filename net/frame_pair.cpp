#include <algorithm>
#include <net/frame_pair.hpp>
#include <utility>

namespace capsa::net {

FramePair::FramePair(std::size_t capacity, Offloads offloads)
    : a_(capacity, offloads), b_(capacity, offloads) {}

bool FramePair::pump() {
  const bool from_a = a_.deliver_to(b_);
  const bool from_b = b_.deliver_to(a_);
  const bool credit_a = a_.return_credit();
  const bool credit_b = b_.return_credit();
  return from_a || from_b || credit_a || credit_b;
}

std::size_t FramePair::End::credit() const {
  const std::size_t room = capacity_ - frames_;
  if (room == 0) waited_for_ = true;
  return room;
}

std::size_t FramePair::End::send(FrameBatch& batch) {
  const std::size_t count = std::min(batch.size(), capacity_ - frames_);
  if (count == 0) return 0;
  if (count == batch.size()) {
    on_the_way_.push_back(std::move(batch));
  } else {
    FrameBatch taken;
    for (std::size_t at = 0; at < count; ++at)
      taken.push(std::move(batch[at]));
    batch.drop_front(count);
    on_the_way_.push_back(std::move(taken));
  }
  frames_ += count;
  return count;
}

/// What is sent from inside waits for the next time.
bool FramePair::End::deliver_to(End& other) {
  auto batches = std::exchange(on_the_way_, {});
  frames_ = 0;
  for (FrameBatch& batch : batches) {
    const auto refused = std::count_if(batch.begin(), batch.end(), [this](const Frame& frame) {
      return frame && !offloads_.accepts(frame.meta());
    });
    if (other.receiver_ == nullptr) {
      dropped_ += batch.size();
      continue;
    }
    if (refused > 0) {
      dropped_ += static_cast<std::uint64_t>(refused);
      for (Frame& frame : batch)
        if (frame && !offloads_.accepts(frame.meta())) frame = Frame();
    }
    other.receiver_->receive(std::move(batch));
  }
  return !batches.empty();
}

bool FramePair::End::return_credit() {
  if (!waited_for_ || frames_ == capacity_) return false;
  waited_for_ = false;
  if (receiver_ != nullptr) receiver_->credit_available();
  return true;
}

}  // namespace capsa::net
