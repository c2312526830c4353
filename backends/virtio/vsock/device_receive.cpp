#include <algorithm>
#include <backends/virtio/vsock/device.hpp>

// From the guest: the tx ring, whose every byte is hostile.
namespace capsa::vsock {

namespace {

// So many packets are taken before what they caused is written: a guest that fills its ring as fast
// as it is drained must not starve the other direction.
constexpr unsigned kPacketsPerTurn = 32;

}  // namespace

void VsockDevice::receive() {
  // One ring's worth, then it is the turn of whoever shares the thread: with a second CPU a guest
  // can fill its ring as fast as it is drained, for ever.
  std::size_t budget = active_->queues[kTransmitQueue].size();
  do {
    stalled_ = false;
    drain_transmit_queue(budget);
    transmit();
    // Buffers may have come between the stall and now; there is no further kick for them.
  } while (stalled_ && budget > 0 && resets_.size() < limits_.max_pending_resets);
  // Whether the ring has more or not: it was left without asking for a kick.
  if (budget == 0) more_ = true;
}

/// Takes packets until there are none, or the budget is spent: then no kick has been asked for.
void VsockDevice::drain_transmit_queue(std::size_t& budget) {
  virtio::Queue& queue = active_->queues[kTransmitQueue];
  queue.disable_notifications();
  do {
    for (;;) {
      if (budget == 0) return;
      if (resets_.size() >= limits_.max_pending_resets && !write_resets() &&
          resets_.size() >= limits_.max_pending_resets) {
        stalled_ = true;  // until the guest gives rx buffers: process(kReceiveQueue) goes on
        return;
      }
      const auto chain = queue.pop();
      if (!chain) break;
      handle(*chain);
      queue.push(chain->head, 0);
      if (--budget % kPacketsPerTurn == 0) transmit();
    }
  } while (queue.enable_notifications());
}

void VsockDevice::handle(const virtio::Chain& chain) {
  std::array<std::byte, kHeaderSize> raw;
  if (chain.copy_out(0, raw) < raw.size()) {
    ++stats_.dropped;
    return;
  }
  const Header header = decode(raw);
  // Answering would mean to speak to, or for, somebody else.
  if (header.src_cid != guest_cid_ || header.dst_cid != kHostCid) {
    ++stats_.dropped;
    return;
  }
  ++stats_.packets_received;
  const ConnectionKey key{header.dst_port, header.src_port};
  if (header.type != kTypeStream) {
    if (header.op != Op::Reset) resets_.push_back({key, header.type});
    return;
  }
  const auto at = connections_.find(key);
  if (header.len > chain.readable_bytes() - kHeaderSize) {
    // Claims more than its buffers hold.
    if (at != connections_.end()) {
      ++stats_.violations;
      close(at, CloseReason::ProtocolViolation, header.op != Op::Reset);
    } else if (header.op != Op::Reset) {
      resets_.push_back({key, kTypeStream});
    }
    return;
  }
  if (at != connections_.end()) {
    handle_packet(at, header, chain);
  } else if (header.op == Op::Request) {
    handle_request(key, header);
  } else if (header.op != Op::Reset) {
    resets_.push_back({key, kTypeStream});
  }
}

void VsockDevice::handle_request(ConnectionKey key, const Header& header) {
  // A guest that uses a pair of ports again has forgotten the old connection. A reset that still
  // waits for a buffer would hit the new one.
  std::erase_if(resets_, [&](const PendingReset& reset) {
    return reset.key == key && reset.type == kTypeStream;
  });
  if (connections_.size() >= limits_.max_connections || !host_.accept(key)) {
    resets_.push_back({key, kTypeStream});
    return;
  }
  const auto [at, fresh] = connections_.try_emplace(key, connection_options(), peer_, header);
  if (fresh) wait(key, at->second);
}

void VsockDevice::handle_packet(Connections::iterator at, const Header& header,
                                const virtio::Chain& chain) {
  const ConnectionKey key = at->first;
  Connection& connection = at->second.connection;
  switch (connection.receive(header)) {
    case Verdict::Nothing:
      break;
    case Verdict::Connected:
      host_.connected(key);
      break;
    case Verdict::Deliver:
      deliver(key, chain, header.len);
      break;
    case Verdict::PeerShutdown: {
      const std::uint32_t flags = connection.peer_shutdown();
      if ((flags & kShutdownReceive) != 0) at->second.wants_writable = false;
      host_.shutdown(key, (flags & kShutdownReceive) != 0, (flags & kShutdownSend) != 0);
      break;
    }
    case Verdict::Refused:
      return close(at, CloseReason::Refused, false);
    case Verdict::PeerClosed:
      return close(at, CloseReason::PeerClosed, true);
    case Verdict::PeerReset:
      return close(at, CloseReason::PeerReset, false);
    case Verdict::Violation:
      ++stats_.violations;
      return close(at, CloseReason::ProtocolViolation, true);
  }
  // Host may have ended the connection meanwhile.
  const auto after = connections_.find(key);
  if (after != connections_.end()) wait(key, after->second);
}

void VsockDevice::deliver(ConnectionKey key, const virtio::Chain& chain, std::size_t total) {
  stats_.bytes_received += total;
  pieces_.clear();
  std::size_t skip = kHeaderSize;
  std::size_t left = total;
  for (const std::span<const std::byte> segment : chain.readable) {
    if (skip >= segment.size()) {
      skip -= segment.size();
      continue;
    }
    const auto piece = segment.subspan(skip, std::min(segment.size() - skip, left));
    skip = 0;
    left -= piece.size();
    if (!piece.empty()) pieces_.push_back(piece);
    if (left == 0) break;
  }
  host_.data(key, pieces_, total);
}

void VsockDevice::close(Connections::iterator at, CloseReason reason, bool tell_guest) {
  const ConnectionKey key = at->first;
  if (tell_guest) resets_.push_back({key, kTypeStream});
  forget(at);
  host_.closed(key, reason);
}

}  // namespace capsa::vsock
