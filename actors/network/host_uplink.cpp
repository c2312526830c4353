#include <sys/epoll.h>

#include <actors/network/host_network.hpp>
#include <actors/network/host_uplink.hpp>
#include <actors/network/nft.hpp>
#include <actors/protocol/spawn.hpp>
#include <utility>

namespace capsa::network {

HostUplinkState::HostUplinkState(Self self, loop::EpollLoop& loop, HostUplinkPlan plan,
                                 protocol::SwitchUnit to)
    : self_(self),
      loop_(loop),
      plan_(std::move(plan)),
      switch_(std::move(to)),
      wire_(plan_.wire, caf::actor_cast<protocol::WireEndActor>(switch_)),
      gate_(plan_.interface.mac, plan_.address) {
  self_->set_exit_handler([this](caf::exit_msg& message) { on_exit_message(message); });
  if (const auto opened = open(); !opened.ok()) {
    fail(opened.error());
    return;
  }
  nft_runs_ = ruled_ = true;
  run_nft(loop_, *plan_.spawner, plan_.nft, plan_.rules,
          [weak = std::weak_ptr(alive_)](const result<void>& made) {
            if (const auto alive = weak.lock()) (*alive)->on_ruled(made);
          });
}

HostUplinkState::~HostUplinkState() = default;

result<void> HostUplinkState::open() {
  auto made = net::Tap::create(std::move(plan_.interface.device), pool_);
  if (!made.ok()) return made.error();
  tap_ = std::move(*made);
  tap_->attach(this);
  auto port = std::make_shared<protocol::PortSpec>();
  port->name = "host";
  port->mac = plan_.interface.mac;
  port->uplink = true;
  caf::anon_send(switch_, protocol::plug_atom_v, plan_.wire, protocol::PortSpecBox{port},
                 protocol::WireEndActor(protocol::UplinkUnit(self_)));
  wire_.tell_offloads(tap_->offloads());
  loop_.watch(tap_->fd(), EPOLLIN, [this](std::uint32_t events) { on_ready(events); });
  plan_.guard->on_abort([weak = std::weak_ptr(alive_)](const net::FrameBytes& frame) {
    if (const auto alive = weak.lock()) (*alive)->abort_flow(frame);
  });
  return {};
}

// -- frames

void HostUplinkState::receive(net::FrameBatch batch) {
  auto passed = pool_->batch();
  for (auto& frame : batch)
    if (frame && gate_.lets_in(frame.bytes())) passed.push(std::move(frame));
  if (!passed.empty()) wire_.send(passed);
}

void HostUplinkState::send(net::FrameBatch batch) {
  if (!tap_) return;
  const auto now = loop_.now();
  if (now - host_refreshed_ > kHostRefresh) {
    host_refreshed_ = now;
    plan_.guard->set_host_addresses(host_addresses());
  }
  auto passed = pool_->batch();
  for (auto& frame : batch)
    if (frame && gate_.lets_out(frame.bytes())) passed.push(std::move(frame));
  tap_->send(passed);
  rearm();
}

void HostUplinkState::abort_flow(const net::FrameBytes& bytes) {
  auto batch = pool_->batch();
  batch.push(pool_->make(bytes));
  send(std::move(batch));
}

void HostUplinkState::on_ready(std::uint32_t events) {
  if ((events & EPOLLOUT) != 0) tap_->on_writable();
  // One batch a turn: the loop's others come before the next one.
  if ((events & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) tap_->on_readable();
  if (tap_->gone()) {
    close_interface();
    return fail({ErrorCode::IoError, "the VM's TAP interface was deleted"});
  }
  rearm();
}

void HostUplinkState::rearm() {
  std::uint32_t events = 0;
  if (wire_.credit() >= net::FrameBatch::kMaxFrames) events |= EPOLLIN;
  if (tap_->wants_write()) events |= EPOLLOUT;
  loop_.rearm(tap_->fd(), events);
}

void HostUplinkState::close_interface() {
  if (!tap_) return;
  loop_.unwatch(tap_->fd());
  tap_.reset();
}

// -- life

void HostUplinkState::on_ruled(const result<void>& made) {
  nft_runs_ = false;
  if (!made.ok()) ruled_ = false;
  if (ending_) return remove_rules();
  if (!made.ok()) return fail(made.error());
  if (failure_) return;
  ready_ = true;
  for (auto& promise : waiting_)
    promise.deliver(caf::unit);
  waiting_.clear();
}

/// Told to whoever waits for this to be ready, else to the VM by the end of this actor.
void HostUplinkState::fail(const capsa::error& why) {
  if (failure_ || ending_) return;
  failure_ = capsa::error(why.code(), "network: " + why.message(), why.hint());
  if (!waiting_.empty()) return protocol::fail_all(waiting_, protocol::to_caf(*failure_));
  if (ready_) protocol::end_from_loop(self_, protocol::to_caf(*failure_));
}

void HostUplinkState::on_exit_message(caf::exit_msg& message) {
  if (at_rest_) return self_->quit(std::move(message.reason));
  if (std::exchange(ending_, true)) return;
  reason_ = std::move(message.reason);
  close_interface();
  if (!nft_runs_) remove_rules();
}

void HostUplinkState::remove_rules() {
  const auto finish = [weak = std::weak_ptr(alive_)](const result<void>&) {
    const auto alive = weak.lock();
    if (!alive) return;
    (*alive)->at_rest_ = true;
    // Called back maybe at once, maybe from the loop, where quit() would do nothing.
    protocol::end_from_loop((*alive)->self_, (*alive)->reason_);
  };
  if (!std::exchange(ruled_, false)) return finish({});
  run_nft(loop_, *plan_.spawner, plan_.nft, plan_.removal, finish);
}

void HostUplinkState::on_exit() {
  close_interface();
  caf::anon_send(switch_, protocol::unplug_atom_v, wire_.id());
  const auto why = failure_.value_or(capsa::error(ErrorCode::VmEnded, "the network was closed"));
  protocol::fail_all(waiting_, protocol::to_caf(why));
  alive_.reset();
  // Ended by a defect, or by itself: nobody waits.
  if (ruled_ && !nft_runs_)
    run_nft(loop_, *plan_.spawner, plan_.nft, plan_.removal, [](const result<void>&) {});
}

protocol::UplinkUnit::behavior_type HostUplinkState::make_behavior() {
  using namespace protocol;
  return {
      [this](frames_atom, WireId, const FrameBox& box) {
        wire_.handled(box.batch->size());
        send(std::move(*box.batch));
      },
      [this](grant_atom, WireId, std::uint32_t frames) {
        wire_.granted(frames);
        if (tap_) rearm();
      },
      [this](offloads_atom, WireId, const OffloadsBox& theirs) {
        wire_.set_offloads(theirs.value);
        if (tap_) tap_->offloads_changed();
      },
      [this](actors::ready_atom) -> caf::result<void> {
        if (ready_) return caf::unit;
        if (failure_) return to_caf(*failure_);
        auto promise = self_->make_response_promise();
        waiting_.push_back(promise);
        return promise;
      },
  };
}

}  // namespace capsa::network
