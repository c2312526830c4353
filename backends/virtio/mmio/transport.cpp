#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <backends/virtio/mmio/transport.hpp>
#include <cerrno>
#include <string>

namespace capsa::virtio::mmio {

struct Transport::Errand {
  bool finished = false;
};

std::shared_ptr<Transport> Transport::create(Loop& loop, Device& device) {
  auto transport = std::shared_ptr<Transport>(new Transport(loop, device));
  const auto make = [] { return UniqueFd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)); };
  transport->interrupt_ = make();
  for (std::size_t i = 0; i < transport->queues(); ++i)
    transport->kicks_.push_back(make());
  const bool all = std::all_of(transport->kicks_.begin(), transport->kicks_.end(),
                               [](const UniqueFd& fd) { return static_cast<bool>(fd); });
  if (!all || !transport->interrupt_)
    transport->usable_ = error_from_errno(errno, "eventfd for a virtio device",
                                          "raise the limit of open files (ulimit -n)");
  transport->renew_config();
  return transport;
}

Transport::Transport(Loop& loop, Device& device)
    : loop_(loop),
      identity_(device.identity()),
      setups_(identity_.queue_sizes.size()),
      device_(&device) {}

Transport::~Transport() = default;

void Transport::set_memory(std::shared_ptr<const memory::GuestMemory> memory) {
  memory_ = std::move(memory);
}

// -- the loop

/// Has `work` done on the loop, and waits until it calls its `done`. False where the wait was given
/// up: the machine is ending.
bool Transport::on_loop(std::function<void(std::function<void()> done)> work) {
  auto errand = std::make_shared<Errand>();
  const auto finish = [weak = weak_from_this(), errand] {
    const auto self = weak.lock();
    if (!self) return;
    const std::lock_guard lock(self->waiting_mutex_);
    errand->finished = true;
    self->waiting_.notify_all();
  };
  loop_.post([weak = weak_from_this(), work = std::move(work), finish] {
    // Closed: the device belongs to nobody here any more.
    if (const auto self = weak.lock(); self && self->device_ != nullptr) return work(finish);
    finish();
  });
  std::unique_lock lock(waiting_mutex_);
  waiting_.wait(lock, [&] { return errand->finished || abandoned_; });
  return errand->finished;
}

void Transport::abandon() {
  const std::lock_guard lock(waiting_mutex_);
  abandoned_ = true;
  waiting_.notify_all();
}

result<void> Transport::activate(const std::vector<QueueSetup>& setups, std::uint64_t features) {
  if (running_ || resting_ || !memory_)
    return error(ErrorCode::Internal, "a virtio device is activated out of turn");
  auto running = std::make_shared<Running>();
  for (std::size_t i = 0; i < setups.size(); ++i) {
    const auto& setup = setups[i];
    // Queues are used from the first one on: a driver that leaves one out does without the rest.
    if (!setup.ready) break;
    // 4.2.2.2: a device may reckon with what it said.
    if (setup.size > identity_.queue_sizes[i])
      return error(ErrorCode::InvalidConfig, "the driver made a queue larger than it may be");
    auto queue =
        Queue::create(memory_, {.size = static_cast<std::uint16_t>(setup.size),
                                .descriptors = setup.descriptors,
                                .available = setup.available,
                                .used = setup.used,
                                .event_idx = (features & kFeatureEventIdx) != 0,
                                .indirect = (features & kFeatureIndirectDescriptors) != 0});
    if (!queue) return queue.error();
    running->queues.push_back(std::move(*queue));
  }
  if (running->queues.size() < identity_.required_queues)
    return error(ErrorCode::InvalidConfig, "the driver did not set up the queues it needs");
  running_ = std::move(running);
  has_driver_ = true;
  device_->activate({memory_, running_->queues, features, this});
  for (QueueIndex i = 0; i < running_->queues.size(); ++i)
    // By edges, which every write to an eventfd is: there is nothing to read back. A kick that
    // comes while the queue is looked at is another one.
    loop_.watch(kicks_[i].get(), EPOLLIN | EPOLLET,
                [this, i](std::uint32_t) { device_->process(i); });
  // What was made available before DRIVER_OK had no kick that was heard.
  // The device may be taken away meanwhile.
  for (QueueIndex i = 0; running_ != nullptr && i < running_->queues.size(); ++i)
    device_->process(i);
  return {};
}

void Transport::reset_device(std::function<void()> done) {
  if (running_)
    for (QueueIndex i = 0; i < running_->queues.size(); ++i)
      loop_.unwatch(kicks_[i].get());
  if (std::exchange(has_driver_, false)) {
    resting_ = true;
    // The queues stay with the callback: the device needs them until it is called.
    device_->reset([self = shared_from_this(), running = std::move(running_)] {
      self->resting_ = false;
      for (const auto& next : std::exchange(self->on_rest_, {}))
        next();
    });
  }
  if (!resting_) return done();
  on_rest_.push_back(std::move(done));
}

void Transport::close(std::function<void()> done) {
  if (device_ == nullptr) return done();
  reset_device(std::move(done));
  // After the reset was begun, which needs it; what vCPUs still ask for finds nobody.
  device_ = nullptr;
  abandon();
}

void Transport::renew_config() {
  std::vector<std::byte> fresh(identity_.config_size);
  device_->read_config(0, fresh);
  const std::lock_guard lock(config_mutex_);
  config_ = std::move(fresh);
  ++generation_;
}

// -- Interrupt

void Transport::signal(QueueIndex /*queue*/) {
  raise(kInterruptQueue);
}

void Transport::config_changed() {
  if (device_ == nullptr) return;
  renew_config();
  // Before DRIVER_OK nobody listens, and the line may be another driver's.
  if (has_driver_) raise(kInterruptConfig);
}

void Transport::raise(std::uint32_t why) {
  // The reason must be there before the guest is made to look.
  interrupt_status_.fetch_or(why, std::memory_order_release);
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto n = ::write(interrupt_.get(), &one, sizeof one);
}

}  // namespace capsa::virtio::mmio
