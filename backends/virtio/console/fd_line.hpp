#pragma once

#include <array>
#include <backends/virtio/console/device.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <capsa/loop.hpp>
#include <cstdint>
#include <memory>
#include <span>

namespace capsa::virtio::console {

/// Joins one port of a console with a stream socket or a terminal (pty(7)): what the guest writes
/// goes to the descriptor, what is read from it to the guest. Reads one buffer ahead of the guest
/// and no more; takes output only as the descriptor does. Where the other end is gone, what it had
/// written still goes to the guest, and the guest's output is dropped from then on (the port is
/// closed from the host's side). Where it has only ended its writing, output goes on.
///
/// Everything on the loop's thread, which is the device's. As the device's Host it must outlive the
/// device, or at least everything that calls it. With several ports a Host of the caller's hands on
/// what concerns the line's port.
class FdLine final : public Host {
 public:
  /// `fd` is a non-blocking stream socket or terminal (O_NONBLOCK); it is closed when the other end
  /// is gone, or with the line. `loop` outlives the line.
  FdLine(Loop& loop, UniqueFd fd, PortIndex port = 0);
  FdLine(const FdLine&) = delete;
  FdLine& operator=(const FdLine&) = delete;
  ~FdLine() override;

  /// Begins to read, for a device that calls the line from now on. Once.
  void attach(std::weak_ptr<ConsoleDevice> device);

  /// Whether the other end is gone, or reads no more: the guest's output is dropped.
  bool ended() const noexcept { return ended_; }

  // -- Host; what concerns other ports is ignored, their output dropped
  std::size_t output(PortIndex port, std::span<const std::span<const std::byte>> pieces,
                     std::size_t total) override;
  void input_room(PortIndex port) override;
  void go_on_later() override;

 private:
  /// What is read at once, and may wait for the guest.
  static constexpr std::size_t kBuffer = 4096;

  void ready(std::uint32_t events);
  void read_on();
  bool hand_on();
  void drop_output();
  void hang_up();
  void stop_watching();
  void update();

  Loop& loop_;
  UniqueFd fd_;
  PortIndex port_;
  bool socket_ = false;
  std::weak_ptr<ConsoleDevice> device_;
  bool watched_ = false;
  std::uint32_t interest_ = 0;
  bool reads_ = true;     // the other end may still write
  bool blocked_ = false;  // output waits for the descriptor
  bool ended_ = false;    // output is dropped
  bool hung_up_ = false;  // not watched any more; what is left is read as the guest gives room
  std::array<std::byte, kBuffer> buffer_;
  std::span<const std::byte> pending_;  // in buffer_, not yet the guest's
};

}  // namespace capsa::virtio::console
