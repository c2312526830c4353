#include <tools/benchmarks/net_tap_card.hpp>

#include <sys/epoll.h>

namespace capsa::bench {

TapCardState::TapCardState(Self self, loop::EpollLoop& loop, protocol::WireId wire,
                           std::shared_ptr<const protocol::PortSpec> port, net::TapDevice device,
                           protocol::SwitchUnit to)
    : self_(self),
      loop_(loop),
      switch_(std::move(to)),
      wire_(wire, caf::actor_cast<protocol::WireEndActor>(switch_)) {
  auto made = net::Tap::create(std::move(device), net::FramePool::create());
  if (!made.ok()) throw made.error();
  tap_ = std::move(*made);
  tap_->attach(this);
  caf::anon_send(switch_, protocol::plug_atom_v, wire, protocol::PortSpecBox{std::move(port)},
                 protocol::WireEndActor(self_));
  wire_.tell_offloads(tap_->offloads());
  loop_.watch(tap_->fd(), EPOLLIN, [this](std::uint32_t events) { on_ready(events); });
}

void TapCardState::on_ready(std::uint32_t events) {
  if ((events & EPOLLOUT) != 0) tap_->on_writable();
  // One batch a turn: the loop's others come before the next one.
  if ((events & EPOLLIN) != 0) tap_->on_readable();
  rearm();
}

void TapCardState::rearm() {
  std::uint32_t events = 0;
  if (wire_.credit() >= net::FrameBatch::kMaxFrames) events |= EPOLLIN;
  if (tap_->wants_write()) events |= EPOLLOUT;
  loop_.rearm(tap_->fd(), events);
}

void TapCardState::on_exit() {
  loop_.unwatch(tap_->fd());
  caf::anon_send(switch_, protocol::unplug_atom_v, wire_.id());
}

protocol::WireEndActor::behavior_type TapCardState::make_behavior() {
  using namespace protocol;
  return {
      [this](frames_atom, WireId, const FrameBox& box) {
        wire_.handled(box.batch->size());
        tap_->send(*box.batch);
        rearm();
      },
      [this](grant_atom, WireId, std::uint32_t frames) {
        wire_.granted(frames);
        rearm();
      },
      [this](offloads_atom, WireId, const OffloadsBox& theirs) {
        wire_.set_offloads(theirs.value);
        tap_->offloads_changed();
      },
  };
}

}  // namespace capsa::bench
