#include <actors/network/net_port.hpp>
#include <actors/protocol/spawn.hpp>

namespace capsa::network {

namespace {

// A machine that ends hangs up first; its VM has heard of the end by then, and ends this actor.
constexpr auto kMachineEnds = std::chrono::seconds(5);

}  // namespace

NetPortState::NetPortState(Self self, loop::EpollLoop& loop, NetPortPlan plan,
                           protocol::SwitchUnit to, const protocol::LinkDevice& link)
    : self_(self), loop_(loop), switch_(std::move(to)) {
  wire_ = Wire(plan.wire, caf::actor_cast<protocol::WireEndActor>(switch_));
  auto device = virtio::nic::NetDevice::create(std::move(plan.card), *this,
                                               net::FramePool::create(), [this] { go_on_later(); });
  // Whoever made the plan has checked it.
  if (!device.ok()) {
    protocol::end_from_loop(self_, protocol::to_caf(device.error()));
    return;
  }
  device_ = std::move(*device);
  self_->set_exit_handler([this](caf::exit_msg& message) { on_exit_message(message); });
  // What this sends later comes behind it: messages of one sender keep their order.
  caf::anon_send(
      switch_, protocol::plug_atom_v, plan.wire,
      protocol::PortSpecBox{std::make_shared<const protocol::PortSpec>(std::move(plan.port))},
      protocol::WireEndActor(protocol::NetPortUnit(self_)));
  link_ = link(loop, *device_, [this](const result<void>& end) { on_closed(end); });
}

NetPortState::~NetPortState() = default;

std::size_t NetPortState::send(net::FrameBatch& batch) {
  // Drivers come and go; whoever has one sends before it receives.
  wire_.tell_offloads(receiver_->offloads());
  return wire_.send(batch);
}

net::Offloads NetPortState::offloads() const {
  return {.checksum = true, .tso4 = true, .tso6 = true, .ecn = true};
}

void NetPortState::go_on_later() {
  loop_.post([weak = std::weak_ptr(alive_)] {
    const auto alive = weak.lock();
    if (alive && (*alive)->device_ && !(*alive)->at_rest_) (*alive)->device_->process_more();
  });
}

void NetPortState::on_closed(const result<void>& end) {
  const auto why = end.ok() ? capsa::error(ErrorCode::BackendFailed,
                                           "the machine hung up on its network card and runs on")
                            : end.error();
  deserted_ = loop_.call_after(kMachineEnds, [this, why] {
    deserted_ = 0;
    protocol::end_from_loop(self_, protocol::to_caf(why));
  });
}

void NetPortState::on_exit_message(caf::exit_msg& message) {
  if (at_rest_ || !link_) return self_->quit(std::move(message.reason));
  if (std::exchange(closing_, true)) return;
  link_->close([weak = std::weak_ptr(alive_), reason = message.reason] {
    const auto alive = weak.lock();
    if (!alive) return;
    (*alive)->at_rest_ = true;
    protocol::end_from_loop((*alive)->self_, reason);
  });
}

void NetPortState::on_exit() {
  if (deserted_ != 0) loop_.cancel(deserted_);
  caf::anon_send(switch_, protocol::unplug_atom_v, wire_.id());
  if (at_rest_ || !link_) return;
  // Ended by a defect, not asked: the device sends by this until it is at rest, which a network
  // card is at once.
  link_->close([] {});
}

protocol::NetPortUnit::behavior_type NetPortState::make_behavior() {
  using namespace protocol;
  return {
      [this](frames_atom, WireId, const FrameBox& box) {
        wire_.handled(box.batch->size());
        if (receiver_ != nullptr) receiver_->receive(std::move(*box.batch));
      },
      [this](grant_atom, WireId, std::uint32_t frames) {
        if (wire_.granted(frames) && receiver_ != nullptr) receiver_->credit_available();
      },
      [this](offloads_atom, WireId, const OffloadsBox& theirs) {
        wire_.set_offloads(theirs.value);
      },
  };
}

}  // namespace capsa::network
