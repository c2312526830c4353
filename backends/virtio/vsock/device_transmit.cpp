#include <backends/virtio/vsock/device.hpp>

// To the guest: the rx ring, whose buffers are the guest's to give.
namespace capsa::vsock {

/// Writes what waits, as long as there are buffers, then tells Host what came of it. Afterwards
/// nothing waits, or the guest kicks when it has given buffers, or there is `more_` to do: a guest
/// that gives small buffers as fast as they are filled gets one ring's worth at a time.
void VsockDevice::transmit() {
  std::vector<ConnectionKey> writable;
  bool buffers = write_resets();
  std::size_t budget = active_->queues[kReceiveQueue].size();
  while (buffers && !waiting_.empty()) {
    if (budget-- == 0) {
      more_ = true;
      break;
    }
    const ConnectionKey key = waiting_.front();
    const auto at = connections_.find(key);
    Entry& entry = at->second;
    if (entry.connection.next()) {
      std::span<const std::byte> nothing;
      buffers = write_packet(key, entry.connection, nothing);
      if (!buffers) break;
    }
    if (entry.connection.finished()) {
      closing_.push_back({key, CloseReason::Finished});
      forget(at);
      continue;
    }
    // One packet each, then the next in turn.
    if (entry.connection.next()) {
      waiting_.splice(waiting_.end(), waiting_, *entry.waiting);
    } else {
      waiting_.erase(*entry.waiting);
      entry.waiting.reset();
    }
    if (writable_due(entry)) {
      entry.wants_writable = false;
      writable.push_back(key);
    }
  }
  // Host may call back in, so nothing of ours is held across these.
  report_closed();
  for (const ConnectionKey key : writable) {
    const auto at = connections_.find(key);
    if (at == connections_.end()) continue;
    const std::size_t room = at->second.connection.room();
    if (room > 0) host_.writable(key, room);
  }
}

/// False where the buffers ran out.
bool VsockDevice::write_resets() {
  while (!resets_.empty()) {
    const auto chain = take_buffer();
    if (!chain) return false;
    Header header = header_for(resets_.front().key);
    header.type = resets_.front().type;
    header.op = Op::Reset;
    resets_.pop_front();
    push_packet(*chain, header, {});
    ++stats_.resets_sent;
  }
  return true;
}

/// Writes the next packet of a connection that has one, and takes the payload from `offered` where
/// nothing is queued. False where there is no buffer.
bool VsockDevice::write_packet(ConnectionKey key, Connection& connection,
                               std::span<const std::byte>& offered) {
  const auto chain = take_buffer();
  if (!chain) return false;
  const auto packet = connection.next(chain->writable_bytes() - kHeaderSize, offered.size());
  const bool from_queue = !connection.queued().empty();
  const auto payload = (from_queue ? connection.queued() : offered).first(packet->length);
  Header header = header_for(key);
  connection.stamp(header, *packet);
  push_packet(*chain, header, payload);
  if (!from_queue) offered = offered.subspan(packet->length);
  connection.sent(*packet);
  return true;
}

void VsockDevice::push_packet(const virtio::Chain& chain, const Header& header,
                              std::span<const std::byte> payload) {
  chain.copy_in(0, encode(header));
  chain.copy_in(kHeaderSize, payload);
  active_->queues[kReceiveQueue].push(chain.head,
                                      static_cast<std::uint32_t>(kHeaderSize + payload.size()));
  ++stats_.packets_sent;
  stats_.bytes_sent += payload.size();
}

/// Writes what a connection owes, or lets it wait its turn behind the others.
void VsockDevice::flush(ConnectionKey key, Entry& entry) {
  std::span<const std::byte> nothing;
  while (nobody_waits() && entry.connection.next())
    if (!write_packet(key, entry.connection, nothing)) break;
  wait(key, entry);
}

/// Host is told when half of the queue is free again: not for every byte.
bool VsockDevice::writable_due(const Entry& entry) const noexcept {
  return entry.wants_writable && entry.connection.room() > 0 &&
         entry.connection.room() >= limits_.send_queue / 2;
}

/// Takes its place in the queue where there is something to write, or to tell Host.
void VsockDevice::wait(ConnectionKey key, Entry& entry) {
  if (!entry.waiting && (entry.connection.next() || writable_due(entry)))
    entry.waiting = waiting_.insert(waiting_.end(), key);
}

/// The next rx buffer that holds a header and at least one byte. Where there is none the guest has
/// been asked for a kick, or the device is suspended.
std::optional<virtio::Chain> VsockDevice::take_buffer() {
  if (!active_) return std::nullopt;
  virtio::Queue& queue = active_->queues[kReceiveQueue];
  // A driver that adds useless buffers as fast as we give them back gets one ring's worth of
  // patience per attempt.
  for (unsigned useless = 0; useless <= queue.size(); ++useless) {
    auto chain = queue.pop();
    if (!chain) {
      buffer_kicks_on_ = true;
      if (!queue.enable_notifications()) return std::nullopt;
      chain = queue.pop();
      if (!chain) return std::nullopt;
    }
    if (chain->writable_bytes() > kHeaderSize) {
      if (buffer_kicks_on_) {
        queue.disable_notifications();
        buffer_kicks_on_ = false;
      }
      return chain;
    }
    ++stats_.useless_buffers;
    queue.push(chain->head, 0);
  }
  buffer_kicks_on_ = true;
  (void)queue.enable_notifications();
  return std::nullopt;
}

void VsockDevice::send_event() {
  virtio::Queue& queue = active_->queues[kEventQueue];
  std::array<std::byte, sizeof(kEventTransportReset)> event;
  detail::put(std::span<std::byte>(event), kEventTransportReset);
  // As in take_buffer(): one ring's worth of useless buffers, then the next kick.
  unsigned useless = 0;
  do {
    while (const auto chain = queue.pop()) {
      const std::size_t written = chain->copy_in(0, event);
      if (written < event.size()) {
        ++stats_.useless_buffers;
        queue.push(chain->head, 0);
        if (++useless > queue.size()) break;
        continue;
      }
      queue.push(chain->head, static_cast<std::uint32_t>(written));
      event_owed_ = false;
      return;
    }
  } while (queue.enable_notifications() && useless <= queue.size());
}

Header VsockDevice::header_for(ConnectionKey key) const noexcept {
  Header header;
  header.src_cid = kHostCid;
  header.dst_cid = guest_cid_;
  header.src_port = key.host_port;
  header.dst_port = key.guest_port;
  return header;
}

}  // namespace capsa::vsock
