#pragma once

#include <capsa/result.hpp>
#include <functional>

namespace capsa::virtio {

/// What connects a device with the driver in a guest: a vhost-user connection, or a transport of
/// our own machine. On the device's thread.
class DeviceLink {
 public:
  /// Called once where the link ends by itself, after the device came to rest; from the loop, never
  /// from inside a call; may destroy the link.
  using OnClosed = std::function<void(result<void>)>;

  virtual ~DeviceLink() = default;
  /// Takes the device from its guest. `done` is called once the device is at rest, possibly before
  /// close() returns, and may destroy the link; OnClosed is not called any more.
  virtual void close(std::function<void()> done) = 0;
};

}  // namespace capsa::virtio
