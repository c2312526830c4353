#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace capsa::virtio::console {

/// Counts a device's ports, from 0.
using PortIndex = std::uint32_t;

/// What lies above a console: where the guest's output goes. Called on the device's thread, from
/// inside any call of the device except suspend() and the destructor. From inside every method of
/// the device's host side may be called, for any port; process(), process_more(), activate(),
/// suspend(), reset(), write_config() and the destructor may not.
class Host {
 public:
  virtual ~Host() = default;

  /// `total` bytes in one or more pieces, never none. Gives how many of the first it takes. Where
  /// that is fewer, the rest stays in the guest's ring and nothing more comes from this port until
  /// ConsoleDevice::resume_output(), which must come after this has returned. The pieces lie in
  /// guest memory and the guest may change them at any time: copy them during the call, decide
  /// nothing by reading twice.
  ///
  /// Linux waits for the output of a console with interrupts off and a spinning processor: a host
  /// that lets it wait stops that processor, one that has no use for the output takes it all.
  virtual std::size_t output(PortIndex port, std::span<const std::span<const std::byte>> pieces,
                             std::size_t total) = 0;
  /// The guest opened or closed its end. News only: output may come before it and after. A device
  /// of one port tells it when its driver is ready, and when the driver is gone.
  virtual void opened(PortIndex port, bool open) {
    static_cast<void>(port);
    static_cast<void>(open);
  }
  /// After an input() that took fewer bytes than it was given: there is room for some now.
  virtual void input_room(PortIndex port) { static_cast<void>(port); }
  /// The guest fills its rings as fast as they are emptied and has had its turn. It was not asked
  /// for a kick, so ConsoleDevice::process_more() must be called, soon, and once all that shares
  /// the thread has had a turn as well.
  virtual void go_on_later() = 0;
};

}  // namespace capsa::virtio::console
