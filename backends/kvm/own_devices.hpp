#pragma once

#include <backends/hypervisor.hpp>
#include <backends/virtio/balloon/device.hpp>
#include <backends/virtio/console/fd_line.hpp>
#include <backends/virtio/mmio/transport.hpp>
#include <backends/virtio/rng/device.hpp>
#include <capsa/loop.hpp>
#include <memory>
#include <vector>

namespace capsa::kvm {

/// The virtio devices that every machine has of its own: a console where the spec has a descriptor
/// for it, a random number generator, and a balloon by which the guest gives free pages back. On
/// the loop.
class OwnDevices final : public std::enable_shared_from_this<OwnDevices> {
 public:
  /// `console_fd` is borrowed. `loop` outlives them.
  static result<std::shared_ptr<OwnDevices>> create(Loop& loop, int console_fd);

  const std::vector<std::shared_ptr<virtio::mmio::Transport>>& transports() const noexcept {
    return transports_;
  }
  /// How large the terminal is that shows the console, in characters. False where there is none.
  bool resize_console(std::uint16_t columns, std::uint16_t rows);
  /// Takes them from the guest; they live until they are at rest.
  void close();

 private:
  explicit OwnDevices(Loop& loop) : loop_(loop) {}
  result<void> add_console(int console_fd);
  void add_rng();
  void add_balloon();

  Loop& loop_;
  std::unique_ptr<virtio::console::FdLine> line_;  // outlives the device that calls it
  std::shared_ptr<virtio::console::ConsoleDevice> console_;
  std::shared_ptr<virtio::rng::RngDevice> rng_;
  std::shared_ptr<virtio::balloon::BalloonDevice> balloon_;
  std::vector<std::shared_ptr<virtio::mmio::Transport>> transports_;
};

}  // namespace capsa::kvm
