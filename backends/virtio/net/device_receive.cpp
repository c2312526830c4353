#include <algorithm>
#include <backends/virtio/net/device.hpp>
#include <net/offload.hpp>

// To the guest: the receive rings, whose buffers are the guest's to give.
namespace capsa::virtio::nic {

void NetDevice::receive(net::FrameBatch batch) {
  const Turn turn(*this);
  // Of all rings together, in buffers: a hostile guest gives buffers of a byte.
  std::size_t budget = config_.queue_size;
  for (net::Frame& frame : batch) {
    if (!frame) continue;
    if (!has_driver_ || !config_.link_up) {
      ++stats_.receive_not_ready;
      continue;
    }
    // The driver may have given up the pair that the flow was last sent by.
    std::size_t index = pairs_ > 1 ? steering_.pair_for(frame.bytes()) : 0;
    if (index >= pairs_) index = 0;
    Lane& lane = lanes_[index];
    // Nobody overtakes those that wait.
    if (active_ && lane.backlog.empty() && !lane.starved && !lane.receive_more) {
      const Delivery delivery = deliver(index, frame, budget);
      if (delivery == Delivery::Done) continue;
      if (delivery == Delivery::TurnOver) lane.receive_more = more_ = true;
    }
    queue_up(lane, std::move(frame));
  }
}

/// Writes what waits, as long as there are buffers. Afterwards nothing waits, or the lane is
/// `starved` and the guest kicks when it has given buffers, or there is `more_` to do.
void NetDevice::flush(std::size_t index) {
  Lane& lane = lanes_[index];
  lane.receive_more = false;
  std::size_t budget = receive_queue(index).size();
  while (!lane.backlog.empty() && !lane.starved) {
    if (!config_.link_up) {
      stats_.receive_not_ready += lane.backlog.size();
      lane.backlog.clear();
      return;
    }
    switch (deliver(index, lane.backlog.front(), budget)) {
      case Delivery::Done:
        lane.backlog.pop_front();
        break;
      case Delivery::NoBuffers:
        return;
      case Delivery::TurnOver:
        lane.receive_more = more_ = true;
        return;
    }
  }
}

/// In a buffer of our own pool: the sender's comes back to it however slow this guest is.
void NetDevice::queue_up(Lane& lane, net::Frame frame) {
  if (!lane.backlog.full()) {
    if (!frame.is_of(*pool_)) frame = pool_->copy(frame);
    if (frame) return lane.backlog.push(std::move(frame));
  }
  ++stats_.receive_overflow;
}

/// Writes a frame into as many buffers as it needs, or none. `Done` where it was dropped, too.
NetDevice::Delivery NetDevice::deliver(std::size_t index, net::Frame& frame, std::size_t& budget) {
  if (!prepare(frame)) return Delivery::Done;
  Lane& lane = lanes_[index];
  Queue& queue = receive_queue(index);
  const std::size_t needed = header_bytes_ + frame.size();
  std::size_t have = 0;
  taken_count_ = 0;
  while (have < needed) {
    if (budget == 0) {
      put_back(queue);
      return Delivery::TurnOver;
    }
    if (taken_.size() == taken_count_) taken_.emplace_back();
    Taken& taken = taken_[taken_count_];
    if (!next_buffer(lane, queue, taken)) {
      put_back(queue);
      return Delivery::NoBuffers;
    }
    --budget;
    if (taken_count_ == 0 && taken.room < header_bytes_) {
      ++stats_.useless_buffers;
      queue.push(taken.chain.head, 0);
      continue;
    }
    ++taken_count_;
    have += taken.room;
    // More buffers than the ring holds will never be there at once.
    if (have < needed && (!mergeable_ || taken_count_ == queue.size())) {
      put_back(queue);
      ++stats_.receive_too_long;
      return Delivery::Done;
    }
  }
  write(queue, frame);
  if (std::exchange(lane.buffer_kicks, false)) queue.disable_notifications();
  return Delivery::Done;
}

/// Makes a frame one that the driver takes; false where it is dropped.
bool NetDevice::prepare(net::Frame& frame) {
  net::FrameMeta& meta = frame.meta();
  if (meta.gso != net::Gso::None && !guest_.accepts(meta)) {
    ++stats_.receive_unaccepted;
    return false;
  }
  if (meta.needs_checksum && !guest_.checksum && !net::complete_checksum(frame.bytes(), meta)) {
    ++stats_.receive_unaccepted;
    return false;
  }
  if (!guest_.checksum) meta.checksum_valid = false;
  if (frame.size() > max_length(frame.bytes(), meta)) {
    ++stats_.receive_too_long;
    return false;
  }
  return true;
}

/// False where there is none; then the guest has been asked for a kick. That is done before what
/// was taken is put back: the kick is to come for the next buffer, not for those.
bool NetDevice::next_buffer(Lane& lane, Queue& queue, Taken& taken) {
  auto chain = queue.pop();
  if (!chain) {
    lane.buffer_kicks = true;
    if (queue.enable_notifications()) chain = queue.pop();
    if (!chain) {
      lane.starved = true;
      return false;
    }
  }
  taken.chain = std::move(*chain);
  taken.room = taken.chain.writable_bytes();
  return true;
}

void NetDevice::write(Queue& queue, const net::Frame& frame) {
  const auto header = encode_header(frame.meta(), static_cast<std::uint16_t>(taken_count_));
  std::span<const std::byte> rest = frame.bytes();
  std::size_t offset = header_bytes_;
  used_.clear();
  taken_[0].chain.copy_in(0, std::span(header).first(header_bytes_));
  for (Taken& taken : std::span(taken_).first(taken_count_)) {
    const std::size_t count = taken.chain.copy_in(offset, rest);
    rest = rest.subspan(count);
    used_.push_back({taken.chain.head, static_cast<std::uint32_t>(offset + count)});
    offset = 0;
  }
  queue.push(used_);
  stats_.received_bytes += frame.size();
  ++stats_.received_frames;
}

/// The last first: to the queue each is then the one that was popped last.
void NetDevice::put_back(Queue& queue) noexcept {
  for (; taken_count_ > 0; --taken_count_)
    queue.undo_pop();
}

}  // namespace capsa::virtio::nic
