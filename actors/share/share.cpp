#include <actors/protocol/defaults.hpp>
#include <actors/protocol/errors.hpp>
#include <actors/share/share.hpp>

namespace capsa::share {

namespace {

// A machine that ends hangs up first; its VM has heard of the end by then, and ends this actor.
constexpr auto kMachineEnds = std::chrono::seconds(5);

}  // namespace

ShareState::ShareState(Self self, loop::EpollLoop& loop,
                       std::shared_ptr<virtio::fs::FsDevice> device,
                       const protocol::LinkDevice& link)
    : self_(self),
      loop_(loop),
      device_(std::move(device)),
      link_(link(loop, *device_, [this](const result<void>& end) { on_closed(end); })) {
  self_->set_exit_handler([this](caf::exit_msg& message) { on_exit_message(message); });
}

void ShareState::on_closed(const result<void>& end) {
  const auto why = end.ok() ? capsa::error(ErrorCode::BackendFailed,
                                           "the machine hung up on a share and runs on")
                            : end.error();
  deserted_ = loop_.call_after(kMachineEnds, [this, why] {
    deserted_ = 0;
    protocol::end_from_loop(self_, protocol::to_caf(why));
  });
}

void ShareState::on_exit_message(caf::exit_msg& message) {
  if (at_rest_) return self_->quit(std::move(message.reason));
  if (std::exchange(closing_, true)) return;
  // Called back maybe at once, maybe from the loop, where quit() would do nothing.
  link_->close([weak = std::weak_ptr(alive_), reason = message.reason] {
    const auto alive = weak.lock();
    if (!alive) return;
    (*alive)->at_rest_ = true;
    protocol::end_from_loop((*alive)->self_, reason);
  });
}

void ShareState::on_exit() {
  if (deserted_ != 0) loop_.cancel(deserted_);
  if (at_rest_) return;
  // Ended by a defect, not asked. What is with the file threads keeps the device until it is done.
  loop_.post([link = std::move(link_), device = device_] { link->close([link, device] {}); });
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
