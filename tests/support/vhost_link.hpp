#pragma once

#include <actors/protocol/device_link.hpp>
#include <backends/vhost_user/server.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <memory>
#include <utility>

namespace capsa::test {

/// Links a device over this connected socket, as a VM does for a machine in another process.
inline protocol::LinkDevice vhost_link(UniqueFd socket) {
  return [held = std::make_shared<UniqueFd>(std::move(socket))](
             Loop& loop, virtio::Device& device, virtio::DeviceLink::OnClosed on_closed) {
    return std::make_shared<vhost_user::Server>(loop, std::move(*held), device,
                                                std::move(on_closed));
  };
}

}  // namespace capsa::test
