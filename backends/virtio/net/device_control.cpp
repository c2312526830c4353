#include <backends/virtio/net/device.hpp>

// The control queue (virtio 1.2, 5.1.6.5), of which there is one command: how many queue pairs the
// driver uses.
namespace capsa::virtio::nic {

void NetDevice::control(Queue& queue) {
  control_more_ = false;
  std::size_t budget = queue.size();
  queue.disable_notifications();
  do {
    for (;;) {
      if (budget == 0) {
        control_more_ = more_ = true;
        return;
      }
      const auto chain = queue.pop();
      if (!chain) break;
      --budget;
      const std::array<std::byte, 1> answer{handle(*chain)};
      if (answer[0] != kControlOk) ++stats_.control_errors;
      queue.push(chain->head, static_cast<std::uint32_t>(chain->copy_in(0, answer)));
    }
  } while (queue.enable_notifications());
}

std::byte NetDevice::handle(const Chain& chain) {
  std::array<std::byte, 4> command{};
  if (chain.copy_out(0, command) < command.size()) return kControlError;
  if (command[0] != std::byte{kControlMultiQueue} || command[1] != std::byte{kSetQueuePairs}) {
    return kControlError;
  }
  const auto pairs = std::to_integer<unsigned>(command[2]) | std::to_integer<unsigned>(command[3])
                                                                 << 8;
  if (!agreed(kFeatureMultiQueue) || pairs == 0 || pairs > usable_pairs()) return kControlError;
  set_queue_pairs(static_cast<std::uint16_t>(pairs));
  return kControlOk;
}

void NetDevice::set_queue_pairs(std::uint16_t pairs) {
  const std::uint16_t before = pairs_;
  pairs_ = pairs;
  // 5.1.6.5.5: nothing more is received by a pair that is not used.
  for (std::size_t index = pairs; index < before; ++index) {
    stats_.receive_overflow += lanes_[index].backlog.size();
    lanes_[index].backlog.clear();
  }
  // What was made available before is not kicked for again.
  for (std::size_t index = before; index < pairs; ++index) {
    lanes_[index].starved = false;
    transmit(index);
  }
}

}  // namespace capsa::virtio::nic
