#include <backends/vhost_user/notifier.hpp>
#include <backends/vhost_user/session.hpp>
#include <string>

namespace capsa::vhost_user {
namespace {

constexpr std::uint32_t kTypeFileSystem = 26;  // virtio 1.2, 5 "Device Types"

}  // namespace

std::uint64_t Session::protocol_features_offered() const {
  // QEMU keeps the configuration space of a file system (its tag) to itself, and warns its user
  // where the back-end offers to answer for it.
  return kProtocolAlways | (identity_.type == kTypeFileSystem ? 0 : kProtocolConfig);
}

void Session::kicked(virtio::QueueIndex queue) {
  if (ended_ || queue >= rings_.size()) return;
  rings_[queue].was_kicked = true;
  // While the device comes to rest the kick is remembered: every queue is processed once when it
  // goes on.
  if (busy()) return;
  if (running_) return process(queue);
  settle([this](result<void> outcome) {
    if (!outcome) fail(outcome.error());
  });
  tell_want_input();
}

bool Session::enabled(const Ring& ring) const {
  if (ring.enable != Enable::NotSaid) return ring.enable == Enable::On;
  // Rings begin enabled where protocol features were not agreed. Where they were, some front-ends
  // never enable the rings of some devices; a kick says as much.
  return (features_.value_or(0) & kFeatureProtocolFeatures) == 0 || ring.was_kicked;
}

/// How many of the first rings the device is to run with now; 0: it is not to run.
std::size_t Session::runnable() const {
  if (!features_ || !memory_) return 0;
  std::size_t ready = 0;
  for (const Ring& ring : rings_) {
    if (ring.size == 0 || !ring.address || !ring.kick || ring.enable == Enable::Off) break;
    ++ready;
  }
  if (ready < identity_.required_queues) return 0;
  for (std::size_t i = 0; i < identity_.required_queues; ++i) {
    if (!enabled(rings_[i])) return 0;
  }
  return ready;
}

/// Applies what must not happen under a running device (`at_rest`), or may, and then acknowledges
/// the message in hand.
void Session::change(std::function<void()> apply, bool at_rest) {
  auto then = [this, apply = std::move(apply)] {
    apply();
    settle([this](result<void> outcome) { acknowledge(std::move(outcome)); });
  };
  if (!running_ || !at_rest) return then();
  rest(Rest::Suspend, std::move(then));
}

/// The same for one ring: one that the device does not have may be set up beside it.
void Session::change_ring(std::size_t index, std::function<void()> apply) {
  change(std::move(apply), running_ && index < running_->queues.size());
}

/// Brings the device in line with the rings.
void Session::settle(std::function<void(result<void>)> done) {
  const std::size_t wanted = runnable();
  const bool misfits = running_ && running_->queues.size() != wanted;
  const bool is_strange = !running_ && wanted != 0 && has_driver_ && another_driver_;
  if (misfits || is_strange) {
    return rest(misfits ? Rest::Suspend : Rest::Reset,
                [this, done = std::move(done)] { settle(done); });
  }
  done(!running_ && wanted != 0 ? activate(wanted) : result<void>());
}

void Session::rest(Rest how, std::function<void()> then) {
  stopping_ = true;
  // The queues and the calls stay with the callback: the device may need them longer than this
  // session lives. Nothing of the session is touched below: `done` may have ended it.
  auto done = [running = running_, &device = device_, how, weak = std::weak_ptr(self_),
               then = std::move(then)] {
    if (const auto self = weak.lock()) return (*self)->rested(how, then);
    // The session ended meanwhile, and the driver with it.
    if (how == Rest::Suspend) device.reset([running] {});
  };
  if (how == Rest::Suspend) {
    device_.suspend(std::move(done));
  } else {
    device_.reset(std::move(done));
  }
}

void Session::rested(Rest how, const std::function<void()>& then) {
  if (running_) {
    for (std::size_t i = 0; i < running_->queues.size(); ++i) {
      rings_[i].next_available = running_->queues[i].next_available();
    }
  }
  running_.reset();
  stopping_ = false;
  if (how == Rest::Reset) has_driver_ = false;
  if (on_closed_) {
    if (has_driver_) return rest(Rest::Reset, [] {});
    // Moved out, and nothing after it: it may destroy the session.
    const auto closed = std::exchange(on_closed_, nullptr);
    return closed();
  }
  if (ended_) return;
  then();
  work();
}

result<virtio::Queue> Session::make_queue(virtio::QueueIndex index) const {
  const Ring& ring = rings_[index];
  const std::uint64_t size = ring.size;
  const auto descriptors = memory_->from_user_address(ring.address->descriptors, 16 * size);
  const auto available = memory_->from_user_address(ring.address->available, 4 + 2 * size);
  const auto used = memory_->from_user_address(ring.address->used, 4 + 8 * size);
  if (!descriptors || !available || !used) {
    return error(ErrorCode::BackendFailed,
                 "vhost-user: ring " + std::to_string(index) + " does not lie in the memory table");
  }
  return virtio::Queue::create(
      memory_, {.size = ring.size,
                .descriptors = *descriptors,
                .available = *available,
                .used = *used,
                .next_available = ring.next_available,
                .event_idx = (*features_ & virtio::kFeatureEventIdx) != 0,
                .indirect = (*features_ & virtio::kFeatureIndirectDescriptors) != 0});
}

result<void> Session::activate(std::size_t count) {
  if ((identity_.features & ~*features_ & virtio::kFeatureVersion1) != 0) {
    return error(ErrorCode::UnsupportedFeature, "vhost-user: the guest was shown a legacy device",
                 "start QEMU with -global virtio-mmio.force-legacy=false");
  }
  auto running = std::make_shared<Running>();
  running->calls = calls_;
  for (std::size_t i = 0; i < count; ++i) {
    auto queue = make_queue(static_cast<virtio::QueueIndex>(i));
    if (!queue) return queue.error();
    running->queues.push_back(std::move(*queue));
    rings_[i].error_told = false;
  }
  running_ = running;
  has_driver_ = true;
  another_driver_ = false;
  device_.activate(
      {memory_, running->queues, *features_ & ~kFeatureProtocolFeatures, running->calls.get()});
  // What was made available before the kick descriptor came had no kick, or a lost one.
  for (std::size_t i = 0; i < count; ++i)
    process(static_cast<virtio::QueueIndex>(i));
  return {};
}

void Session::process(virtio::QueueIndex queue) {
  if (queue >= running_->queues.size()) return;
  device_.process(queue);
  Ring& ring = rings_[queue];
  if (!running_->queues[queue].broken() || ring.error_told) return;
  ring.error_told = true;
  if (calls_->error[queue]) notify(calls_->error[queue].get());
}

void Session::drop_kick(virtio::QueueIndex queue) {
  Ring& ring = rings_[queue];
  if (!ring.kick) return;
  // Unwatched before it is closed: its number may be another descriptor's a moment later.
  host_.unwatch_kick(queue);
  ring.kick.reset();
}

}  // namespace capsa::vhost_user
