#include <algorithm>
#include <backends/virtio/net/device.hpp>
#include <net/offload.hpp>

// From the guest: the transmit rings, whose every byte is hostile.
namespace capsa::virtio::nic {

namespace {

// Copied at once; some tenths of a millisecond. A ring may hold sixteen times as much.
constexpr std::size_t kBytesPerTurn = 1U << 20;

}  // namespace

/// One ring's worth, then it is the turn of whoever shares the thread: with a second CPU a guest
/// can fill its ring as fast as it is drained, for ever. Afterwards there is a kick for the next
/// frame, or the lane is `stalled` for credit, or there is `more_` to do.
void NetDevice::transmit(std::size_t index) {
  Lane& lane = lanes_[index];
  Queue& queue = transmit_queue(index);
  lane.stalled = lane.transmit_more = false;
  std::size_t chains = queue.size();
  std::size_t bytes = kBytesPerTurn;
  queue.disable_notifications();
  do {
    for (bool drained = false; !drained;) {
      if (chains == 0 || bytes == 0) {
        lane.transmit_more = more_ = true;
        return;
      }
      const std::size_t credit = port_.credit();
      if (credit == 0) {
        lane.stalled = true;
        return;
      }
      net::FrameBatch batch = pool_->batch();
      const std::size_t most = std::min(credit, net::FrameBatch::kMaxFrames);
      while (batch.size() < most && chains > 0 && bytes > 0) {
        const auto chain = queue.pop();
        if (!chain) {
          drained = true;
          break;
        }
        const std::size_t before = batch.size();
        take(*chain, index, batch);
        queue.push(chain->head, 0);
        --chains;
        if (batch.size() > before) bytes -= std::min(bytes, batch[before].size());
      }
      send(batch);
    }
  } while (queue.enable_notifications());
}

/// Copies a frame out, once, and judges the copy.
void NetDevice::take(const Chain& chain, std::size_t lane, net::FrameBatch& batch) {
  std::array<std::byte, kHeaderBytes> header;
  const auto used = std::span(header).first(header_bytes_);
  const std::size_t total = chain.readable_bytes();
  if (total < used.size() + net::kMinFrame || total > used.size() + net::kMaxFrame) {
    ++stats_.send_bad_length;
    return;
  }
  if (!config_.link_up) {
    ++stats_.send_link_down;
    return;
  }
  chain.copy_out(0, used);
  const auto meta = decode_header(used, host_);
  if (!meta) {
    ++stats_.send_bad_header;
    return;
  }
  net::Frame frame = pool_->make(total - used.size());
  if (!frame) {
    ++stats_.send_no_memory;
    return;
  }
  chain.copy_out(used.size(), frame.bytes());
  frame.meta() = *meta;
  if (!net::check_offload(frame.bytes(), frame.meta())) {
    ++stats_.send_bad_header;
    return;
  }
  if (frame.size() > max_length(frame.bytes(), frame.meta())) {
    ++stats_.send_bad_length;
    return;
  }
  if (!port_.offloads().checksum) net::complete_checksum(frame.bytes(), frame.meta());
  if (pairs_ > 1) steering_.learn(frame.bytes(), static_cast<std::uint8_t>(lane));
  batch.push(std::move(frame));
}

void NetDevice::send(net::FrameBatch& batch) {
  const std::size_t count = batch.size();
  if (count == 0) return;
  std::uint64_t bytes = 0;
  for (const net::Frame& frame : batch)
    bytes += frame.size();
  port_.send(batch);
  // Not what it says: what it left.
  std::size_t refused = 0;
  for (const net::Frame& frame : batch) {
    if (!frame) continue;
    ++refused;
    bytes -= frame.size();
  }
  stats_.send_refused += refused;
  stats_.sent_frames += count - refused;
  stats_.sent_bytes += bytes;
}

}  // namespace capsa::virtio::nic
