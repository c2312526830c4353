#include <linux/virtio_fs.h>
#include <linux/virtio_ids.h>

#include <algorithm>
#include <array>
#include <backends/virtio/fs/device.hpp>
#include <backends/virtio/fs/worker.hpp>
#include <cstring>

namespace capsa::virtio::fs {
namespace {

/// Linux takes as many pages per request as the queue has descriptors, less four: enough for the
/// 256 that INIT offers.
constexpr std::uint16_t kQueueSize = 1024;

/// virtio 1.2, 5.11.4: tag[36] (padded with NUL, not ended by one), le32 num_request_queues.
constexpr std::size_t kTagBytes = 36;
constexpr std::size_t kConfigBytes = kTagBytes + sizeof(std::uint32_t);
static_assert(kConfigBytes == sizeof(virtio_fs_config));

}  // namespace

result<std::unique_ptr<FsDevice>> FsDevice::create(ShareConfig config,
                                                   std::shared_ptr<Executor> executor) {
  if (config.tag.empty() || config.tag.size() > kTagBytes ||
      config.tag.find('\0') != std::string::npos) {
    return error(ErrorCode::InvalidConfig,
                 "share tag: \"" + config.tag + "\" is not 1 to 36 bytes without NUL",
                 "give a short name; the guest mounts the share by it");
  }
  if (!executor) return error(ErrorCode::InvalidConfig, "share: no executor to run requests on");
  auto server = FuseServer::create(config);
  if (!server) return server.error();
  auto worker = std::make_shared<Worker>(std::move(*server));
  return std::unique_ptr<FsDevice>(
      new FsDevice(std::move(config), std::move(executor), std::move(worker)));
}

FsDevice::FsDevice(ShareConfig config, std::shared_ptr<Executor> executor,
                   std::shared_ptr<Worker> worker)
    : config_(std::move(config)),
      executor_(std::move(executor)),
      worker_(std::move(worker)),
      self_(std::make_shared<FsDevice*>(this)) {}

FsDevice::~FsDevice() = default;

DeviceIdentity FsDevice::identity() const {
  DeviceIdentity identity;
  identity.type = VIRTIO_ID_FS;
  identity.name = "fs";
  identity.features = kFeatureVersion1 | kFeatureIndirectDescriptors | kFeatureEventIdx;
  identity.queue_sizes = {kQueueSize, kQueueSize};
  identity.required_queues = 2;
  identity.config_size = kConfigBytes;
  return identity;
}

void FsDevice::read_config(std::size_t offset, std::span<std::byte> out) const {
  std::array<std::byte, kConfigBytes> space{};
  std::memcpy(space.data(), config_.tag.data(), config_.tag.size());
  space[kTagBytes] = std::byte{1};  // num_request_queues, little-endian
  std::fill(out.begin(), out.end(), std::byte{0});
  if (offset >= space.size()) return;
  const std::size_t count = std::min(out.size(), space.size() - offset);
  std::copy_n(space.begin() + static_cast<std::ptrdiff_t>(offset), count, out.begin());
}

void FsDevice::write_config(std::size_t /*offset*/, std::span<const std::byte> /*in*/) {
  // nop: virtio 1.2, 5.11.4: "The driver MUST NOT write to device configuration fields."
}

void FsDevice::activate(Activation activation) {
  if (state_ != State::Inactive) return;
  activation_ = std::move(activation);
  in_flight_.assign(activation_.queues.size(), 0);
  waiting_.assign(activation_.queues.size(), false);
  has_driver_ = true;
  state_ = State::Active;
}

void FsDevice::process(QueueIndex queue) {
  if (state_ != State::Active || queue >= activation_.queues.size()) return;
  drain(queue);
}

void FsDevice::drain(QueueIndex index) {
  Queue& queue = activation_.queues[index];
  waiting_[index] = false;
  queue.disable_notifications();
  do {
    while (true) {
      // A guest that keeps to the rules cannot have more in flight than its queue holds. One that
      // does not must not fill our memory with its requests.
      if (in_flight_[index] >= queue.size()) {
        waiting_[index] = true;
        return;
      }
      std::optional<Chain> chain = queue.pop();
      if (!chain) break;
      submit(index, std::move(*chain));
      // An executor may call back from within submit(), and that may end the activation.
      if (state_ != State::Active) return;
    }
  } while (queue.enable_notifications());
}

void FsDevice::submit(QueueIndex index, Chain chain) {
  ++in_flight_[index];
  // The memory goes along: the chain points into it.
  executor_->submit([worker = worker_, memory = activation_.memory, index,
                     work = std::move(chain)] { worker->run(index, work); },
                    [self = std::weak_ptr(self_)] {
                      if (const auto device = self.lock()) (*device)->complete();
                    });
}

void FsDevice::complete() {
  // All that is finished by now, so that requests which end together make one interrupt. The calls
  // that follow for the rest find nothing.
  const std::vector<Worker::Finished> finished = worker_->take_finished();
  if (finished.empty()) return;
  for (const Worker::Finished& one : finished) {
    activation_.queues[one.queue].push(one.head, one.written);
    --in_flight_[one.queue];
  }
  for (std::size_t at = 0; at < activation_.queues.size(); ++at) {
    const auto index = static_cast<QueueIndex>(at);
    const bool has_new = std::any_of(finished.begin(), finished.end(),
                                     [&](const auto& one) { return one.queue == index; });
    if (has_new && activation_.queues[at].should_signal()) activation_.interrupt->signal(index);
  }
  if (state_ == State::Stopping) {
    finish_stop();
    return;
  }
  for (std::size_t at = 0; at < waiting_.size() && state_ == State::Active; ++at) {
    if (waiting_[at]) drain(static_cast<QueueIndex>(at));
  }
}

void FsDevice::suspend(std::function<void()> done) {
  stop(false, std::move(done));
}

void FsDevice::reset(std::function<void()> done) {
  stop(true, std::move(done));
}

void FsDevice::stop(bool forget, std::function<void()> done) {
  if (state_ == State::Inactive && !(forget && has_driver_)) {
    if (done) done();
    return;
  }
  // A reset may overtake a suspension that waits for what is in flight.
  forget_ = forget_ || forget;
  stop_done_.push_back(std::move(done));
  if (state_ == State::Stopping) return;
  state_ = State::Stopping;
  finish_stop();
}

void FsDevice::finish_stop() {
  // What is in flight is answered first: its chains are in queues that are not ours afterwards.
  if (std::any_of(in_flight_.begin(), in_flight_.end(), [](auto count) { return count != 0; })) {
    return;
  }
  if (!forget_) return at_rest();
  // Closing what the guest had open may block as anything else does.
  executor_->submit([worker = worker_] { worker->reset(); },
                    [self = std::weak_ptr(self_)] {
                      if (const auto device = self.lock()) (*device)->at_rest();
                    });
}

void FsDevice::at_rest() {
  activation_ = {};
  in_flight_.clear();
  waiting_.clear();
  if (std::exchange(forget_, false)) has_driver_ = false;
  state_ = State::Inactive;
  // Last, and from a copy: they may activate, reset or destroy the device.
  const auto callbacks = std::exchange(stop_done_, {});
  for (const auto& callback : callbacks) {
    if (callback) callback();
  }
}

FsStats FsDevice::stats() const noexcept {
  return worker_->stats();
}

}  // namespace capsa::virtio::fs
