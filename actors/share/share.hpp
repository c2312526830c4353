#pragma once

#include <actors/loop/epoll_loop.hpp>
#include <actors/protocol/internal.hpp>
#include <backends/vhost_user/server.hpp>
#include <backends/virtio/fs/device.hpp>
#include <memory>

namespace capsa::share {

/// One shared directory of a running machine: its device, and the connection that drives it.
class ShareState {
 public:
  static inline const char* name = "capsa.share";
  using Self = actors::ShareActor::base*;

  ShareState(Self self, loop::EpollLoop& loop, std::shared_ptr<virtio::fs::FsDevice> device,
             UniqueFd socket);

  actors::ShareActor::behavior_type make_behavior();
  void on_exit();

 private:
  loop::EpollLoop& loop_;
  std::shared_ptr<virtio::fs::FsDevice> device_;
  std::shared_ptr<vhost_user::Server> server_;
};

}  // namespace capsa::share
