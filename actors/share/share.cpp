#include <actors/protocol/defaults.hpp>
#include <actors/protocol/errors.hpp>
#include <actors/share/share.hpp>

namespace capsa::share {

ShareState::ShareState(Self self, loop::EpollLoop& loop,
                       std::shared_ptr<virtio::fs::FsDevice> device, UniqueFd socket)
    : loop_(loop),
      device_(std::move(device)),
      server_(std::make_shared<vhost_user::Server>(
          loop, std::move(socket), *device_, [self](const result<void>& end) {
            // The machine closing its end is how every
            // machine ends; the VM hears of that itself.
            if (!end.ok() && end.error().code() != ErrorCode::IoError)
              protocol::end_from_loop(self, protocol::to_caf(end.error()));
          })) {}

void ShareState::on_exit() {
  // Requests that are with the file threads still use the device and the guest's memory: both
  // stay until those have been answered. Posted, as this may run inside the server's own callback.
  loop_.post(
      [server = std::move(server_), device = device_] { server->close([server, device] {}); });
}

actors::ShareActor::behavior_type ShareState::make_behavior() {
  return {
      [this](actors::stats_atom) {
        actors::ShareStats stats;
        stats.requests = device_->stats().requests;
        return stats;
      },
  };
}

}  // namespace capsa::share
