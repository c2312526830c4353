#include <algorithm>
#include <backends/virtio/console/device.hpp>
#include <utility>

namespace capsa::virtio::console {

namespace {

// What Host gets at once, and what one turn hands over at most: a chain may name 4 GiB, and whoever
// shares the thread waits meanwhile.
constexpr std::size_t kBytesPerCall = 64 * 1024;
constexpr std::size_t kBytesPerTurn = 1024 * 1024;

}  // namespace

// -- from the guest

void ConsoleDevice::drain(PortIndex index) {
  Port& port = ports_[index];
  // Host may come here from inside output() of this port: the call under way goes on by itself.
  if (port.stalled || port.draining || !has_queue(transmit_queue(index))) return;
  port.draining = true;
  port.more = false;
  drain_ring(index);
  port.draining = false;
}

void ConsoleDevice::drain_ring(PortIndex index) {
  Port& port = ports_[index];
  Queue& queue = active_->queues[transmit_queue(index)];
  std::size_t chains = queue.size();
  std::size_t bytes = kBytesPerTurn;
  queue.disable_notifications();
  do {
    for (;;) {
      if (chains == 0 || bytes == 0) {
        port.more = more_ = true;
        return;
      }
      const auto chain = queue.pop();
      if (!chain) break;
      if (!deliver(index, *chain, bytes)) {
        // Stays in the ring, so that a suspended device holds nothing.
        queue.undo_pop();
        if (!port.stalled) port.more = more_ = true;
        return;
      }
      port.taken = 0;
      queue.push(chain->head, 0);
      --chains;
    }
  } while (queue.enable_notifications());
}

/// Hands a chain's bytes to Host, from where it stopped the last time. True where it has all, or
/// nobody wants them. The guest may have changed the chain meanwhile, which is its own loss.
bool ConsoleDevice::deliver(PortIndex index, const Chain& chain, std::size_t& budget) {
  Port& port = ports_[index];
  const std::size_t total = chain.readable_bytes();
  while (port.host_open && port.taken < total) {
    if (budget == 0) return false;
    const std::size_t count = std::min({total - port.taken, budget, kBytesPerCall});
    port.pieces.clear();
    std::size_t skip = port.taken;
    std::size_t left = count;
    for (const std::span<const std::byte> segment : chain.readable) {
      if (left == 0) break;
      if (skip >= segment.size()) {
        skip -= segment.size();
        continue;
      }
      const auto piece = segment.subspan(skip, std::min(segment.size() - skip, left));
      skip = 0;
      left -= piece.size();
      port.pieces.push_back(piece);
    }
    const std::size_t took = std::min(host_.output(index, port.pieces, count), count);
    port.taken += took;
    budget -= took;
    // A host that closed the port meanwhile takes nothing more, and waits for nothing.
    if (took < count && port.host_open) {
      port.stalled = true;
      return false;
    }
  }
  return true;
}

void ConsoleDevice::resume_output(PortIndex index) {
  if (index >= ports_.size() || !std::exchange(ports_[index].stalled, false)) return;
  if (!active_) return;  // the next activation drains
  const Turn turn(*this);
  drain(index);
}

// -- to the guest

std::size_t ConsoleDevice::input(PortIndex index, std::span<const std::byte> bytes) {
  if (index >= ports_.size()) return 0;
  Port& port = ports_[index];
  const Turn turn(*this);
  const std::size_t given = bytes.size();
  const QueueIndex queue = receive_queue(index);
  while (!bytes.empty() && port.guest_open && has_queue(queue)) {
    const auto chain = take_buffer(queue, 1);
    if (!chain) break;
    const std::size_t written = chain->copy_in(0, bytes);
    active_->queues[queue].push(chain->head, static_cast<std::uint32_t>(written));
    bytes = bytes.subspan(written);
  }
  port.wants_room = !bytes.empty();
  return given - bytes.size();
}

void ConsoleDevice::offer_room(PortIndex index) {
  Port& port = ports_[index];
  const QueueIndex queue = receive_queue(index);
  if (!port.wants_room || !port.guest_open || !has_queue(queue)) return;
  if (!take_buffer(queue, 1)) return;
  active_->queues[queue].undo_pop();
  port.wants_room = false;
  host_.input_room(index);
}

// -- both

void ConsoleDevice::set_guest_open(PortIndex index, bool open) {
  if (std::exchange(ports_[index].guest_open, open) != open) host_.opened(index, open);
}

void ConsoleDevice::open(PortIndex index) {
  if (index >= ports_.size() || std::exchange(ports_[index].host_open, true)) return;
  owe(index, kOwedOpen);
}

void ConsoleDevice::close(PortIndex index) {
  if (index >= ports_.size() || !std::exchange(ports_[index].host_open, false)) return;
  const Turn turn(*this);
  ports_[index].owed &= static_cast<std::uint8_t>(~kOwedOpen);
  owe(index, kOwedClosed);
  ports_[index].stalled = false;
  if (active_) drain(index);
}

void ConsoleDevice::resize(PortIndex index, std::uint16_t columns, std::uint16_t rows) {
  if (index >= ports_.size()) return;
  Port& port = ports_[index];
  if (port.sized && port.columns == columns && port.rows == rows) return;
  port.columns = columns;
  port.rows = rows;
  port.sized = true;
  if (port.spec.console) owe(index, kOwedSize);
  if (index != 0) return;
  // Configuration space is port 0's. Before the first process() there is nobody to be told.
  config_news_ = !active_ || !greeted_;
  if (!config_news_ && active_->interrupt != nullptr) active_->interrupt->config_changed();
}

}  // namespace capsa::virtio::console
