#include <algorithm>
#include <backends/virtio/vsock/device.hpp>
#include <limits>
#include <string>

namespace capsa::vsock {

VsockDevice::VsockDevice(std::uint64_t guest_cid, Host& host, VsockLimits limits)
    : guest_cid_(guest_cid), host_(host), limits_(limits) {}

// -- virtio::Device

virtio::DeviceIdentity VsockDevice::identity() const {
  return {.type = kDeviceType,
          .name = "vsock",
          .features = virtio::kFeatureVersion1 | virtio::kFeatureIndirectDescriptors |
                      virtio::kFeatureEventIdx | kFeatureStream,
          .queue_sizes = {256, 256, 16},
          .required_queues = 2,
          .config_size = sizeof(guest_cid_)};
}

void VsockDevice::read_config(std::size_t offset, std::span<std::byte> out) const {
  // virtio 1.2, 5.10.4: guest_cid, little-endian, is all there is.
  std::array<std::byte, sizeof(guest_cid_)> config;
  detail::put(std::span<std::byte>(config), guest_cid_);
  std::fill(out.begin(), out.end(), std::byte{0});
  if (offset >= config.size()) return;
  const auto rest = std::span<const std::byte>(config).subspan(offset);
  std::copy_n(rest.begin(), std::min(rest.size(), out.size()), out.begin());
}

void VsockDevice::write_config(std::size_t /*offset*/, std::span<const std::byte> /*in*/) {
  // nop
}

void VsockDevice::activate(virtio::Activation activation) {
  if (active_ || activation.queues.size() < 2) return;
  active_ = activation;
  has_driver_ = true;
  // Buffers may come without a kick: what a suspended device has to write goes out when the
  // transport calls process(), and asks for kicks where there are not enough.
  buffer_kicks_on_ = false;
  active_->queues[kReceiveQueue].disable_notifications();
}

void VsockDevice::process(virtio::QueueIndex queue) {
  if (!active_) return;
  const Batch batch(*this);
  switch (queue) {
    case kReceiveQueue:
      transmit();
      if (stalled_) receive();
      break;
    case kTransmitQueue:
      receive();
      break;
    case kEventQueue:
      if (event_owed_ && active_->queues.size() > kEventQueue) send_event();
      break;
    default:
      break;
  }
  host_.processed(std::exchange(more_, false));
}

void VsockDevice::suspend(std::function<void()> done) {
  // Nothing is in flight: every chain was given back by the call that took it. Host goes on without
  // buffers, as with a guest that gives none.
  active_.reset();
  if (done) done();
}

void VsockDevice::reset(std::function<void()> done) {
  // Inactive before Host hears of it: what it calls from closed() finds nothing to touch.
  active_.reset();
  has_driver_ = false;
  peer_ = {};
  stalled_ = false;
  event_owed_ = false;
  resets_.clear();
  close_all(CloseReason::DeviceReset);
  if (done) done();
}

// -- the host side

result<ConnectionKey> VsockDevice::connect(std::uint32_t guest_port) {
  if (!has_driver_) {
    return error(ErrorCode::NotRunning, "vsock: the guest's driver is not ready",
                 "wait until the guest has booted");
  }
  if (connections_.size() >= limits_.max_connections) {
    return error(ErrorCode::ResourceExhausted,
                 "vsock: " + std::to_string(connections_.size()) + " connections are open",
                 "close some, or raise the limit of connections");
  }
  // Ends: there are fewer connections than ports.
  ConnectionKey key;
  do {
    key = {next_port_, guest_port};
    // 2^32-1 is VMADDR_PORT_ANY.
    next_port_ = next_port_ < std::numeric_limits<std::uint32_t>::max() - 1 ? next_port_ + 1
                                                                            : kFirstEphemeralPort;
  } while (connections_.contains(key) || is_reported_soon(key));
  const Batch batch(*this);
  auto& entry = connections_.try_emplace(key, connection_options(), peer_).first->second;
  flush(key, entry);
  return key;
}

std::size_t VsockDevice::send(ConnectionKey key, std::span<const std::byte> bytes) {
  const auto at = connections_.find(key);
  if (at == connections_.end()) return 0;
  Entry& entry = at->second;
  if (!entry.connection.can_send()) return 0;
  const Batch batch(*this);
  const std::size_t given = bytes.size();
  if (nobody_waits()) {
    while (!bytes.empty() && entry.connection.next(SIZE_MAX, bytes.size()))
      if (!write_packet(key, entry.connection, bytes)) break;
  }
  bytes = bytes.subspan(entry.connection.enqueue(bytes));
  entry.wants_writable = !bytes.empty();
  flush(key, entry);
  return given - bytes.size();
}

void VsockDevice::consumed(ConnectionKey key, std::size_t bytes) {
  const auto at = connections_.find(key);
  if (at == connections_.end()) return;
  const Batch batch(*this);
  at->second.connection.consumed(bytes);
  flush(key, at->second);
}

bool VsockDevice::shutdown(ConnectionKey key, bool no_more_receive, bool no_more_send) {
  const auto at = connections_.find(key);
  if (at == connections_.end()) {
    if (no_more_receive && no_more_send) reset(key);
    return !is_reported_soon(key);
  }
  Entry& entry = at->second;
  if (no_more_receive && no_more_send && !entry.connection.established()) {
    reset(key);
    return true;
  }
  const Batch batch(*this);
  entry.connection.shutdown((no_more_receive ? kShutdownReceive : 0) |
                            (no_more_send ? kShutdownSend : 0));
  if (no_more_send) entry.wants_writable = false;
  flush(key, entry);
  if (!entry.connection.finished()) return false;
  forget(at);
  return true;
}

void VsockDevice::reset(ConnectionKey key) {
  const auto at = connections_.find(key);
  if (at == connections_.end()) {
    // Where several end together, the call that ends one of them may come while another is told.
    std::erase_if(closing_, [&](const Closing& closing) { return closing.key == key; });
    return;
  }
  const Batch batch(*this);
  // Bounded although the guest need not take it: at most one for each connection it knows of, and
  // it cannot make new ones while too many wait.
  if (at->second.connection.known_to_guest()) resets_.push_back({key, kTypeStream});
  forget(at);
  write_resets();
}

void VsockDevice::transport_reset() {
  if (!has_driver_) return;
  const Batch batch(*this);
  if (active_ && active_->queues.size() > kEventQueue) {
    event_owed_ = true;
    send_event();
  } else {
    for (const auto& [key, entry] : connections_)
      if (entry.connection.known_to_guest()) resets_.push_back({key, kTypeStream});
    write_resets();
  }
  close_all(CloseReason::DeviceReset);
}

// -- helpers

void VsockDevice::forget(Connections::iterator at) {
  if (at->second.waiting) waiting_.erase(*at->second.waiting);
  connections_.erase(at);
}

void VsockDevice::close_all(CloseReason reason) {
  for (const auto& [key, entry] : connections_)
    closing_.push_back({key, reason});
  waiting_.clear();
  connections_.clear();
  report_closed();
}

void VsockDevice::report_closed() {
  while (!closing_.empty()) {
    const Closing next = closing_.front();
    closing_.pop_front();
    host_.closed(next.key, next.reason);
  }
}

bool VsockDevice::is_reported_soon(ConnectionKey key) const noexcept {
  return std::any_of(closing_.begin(), closing_.end(),
                     [&](const Closing& closing) { return closing.key == key; });
}

void VsockDevice::signal() {
  if (!active_) return;
  const auto count = static_cast<virtio::QueueIndex>(
      std::min<std::size_t>(active_->queues.size(), kEventQueue + 1));
  for (virtio::QueueIndex index = 0; index < count; ++index)
    if (active_->queues[index].should_signal() && active_->interrupt != nullptr)
      active_->interrupt->signal(index);
}

ConnectionOptions VsockDevice::connection_options() const noexcept {
  return {.receive_buffer = limits_.receive_buffer, .send_queue = limits_.send_queue};
}

}  // namespace capsa::vsock
