#pragma once

#include <backends/virtio/device.hpp>
#include <backends/virtio/link.hpp>
#include <capsa/loop.hpp>
#include <functional>
#include <memory>

namespace capsa::protocol {

/// Connects a device of one boot with its machine, whatever that is. Called once, on the loop, by
/// the actor that owns the device, before the machine is started; never gives nothing. The device
/// must live until the link's close() has called back.
using LinkDevice = std::function<std::shared_ptr<virtio::DeviceLink>(
    Loop& loop, virtio::Device& device, virtio::DeviceLink::OnClosed on_closed)>;

}  // namespace capsa::protocol
