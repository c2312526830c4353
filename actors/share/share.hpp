#pragma once

#include <actors/loop/epoll_loop.hpp>
#include <actors/protocol/device_link.hpp>
#include <actors/protocol/internal.hpp>
#include <backends/virtio/fs/device.hpp>
#include <memory>

namespace capsa::share {

/// One shared directory of a running machine: its device, and the connection that drives it.
///
/// Asked to end it first brings the device to rest: requests that are with the file threads use the
/// device, the guest's memory and the threads' pool. So whoever sees this actor end knows that
/// nothing of the share is under way.
class ShareState {
 public:
  static inline const char* name = "capsa.share";
  using Self = actors::ShareActor::base*;

  ShareState(Self self, loop::EpollLoop& loop, std::shared_ptr<virtio::fs::FsDevice> device,
             const protocol::LinkDevice& link);

  actors::ShareActor::behavior_type make_behavior();
  void on_exit();

 private:
  void on_closed(const result<void>& end);
  void on_exit_message(caf::exit_msg& message);

  Self self_;
  loop::EpollLoop& loop_;
  std::shared_ptr<virtio::fs::FsDevice> device_;
  std::shared_ptr<virtio::DeviceLink> link_;
  bool at_rest_ = false;
  bool closing_ = false;
  Loop::TimerId deserted_ = 0;  // the machine hung up, and may be about to end
  // Expires with this: the device may come to rest after an actor that ended by a defect.
  std::shared_ptr<ShareState*> alive_ = std::make_shared<ShareState*>(this);
};

}  // namespace capsa::share
