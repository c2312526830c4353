#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>

#include <algorithm>
#include <backends/virtio/block/config_space.hpp>
#include <backends/virtio/block/device.hpp>
#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>

namespace capsa::virtio::blk {
namespace {

error bad(std::string_view field, std::string_view what) {
  return {ErrorCode::InvalidConfig, "disk " + std::string(field) + ": " + std::string(what)};
}

Status to_status(int error) {
  if (error == 0) return Status::Ok;
  return error == EOPNOTSUPP ? Status::Unsupported : Status::IoError;
}

}  // namespace

result<std::unique_ptr<BlkDevice>> BlkDevice::create(BlkConfig config,
                                                     std::unique_ptr<block::BlockStore> store) {
  if (!store) return bad("store", "there is none");
  if (config.serial.size() > kSerialBytes || config.serial.find('\0') != std::string::npos) {
    return bad("serial", "\"" + config.serial + "\" is not at most 20 bytes without NUL");
  }
  if (config.queues == 0 || config.queues > kMaxQueues) {
    return bad("queues", std::to_string(config.queues) + " is not 1 to 64");
  }
  if (config.queue_size < 4 || config.queue_size > 1024 ||
      !std::has_single_bit(config.queue_size)) {
    return bad("queue size",
               std::to_string(config.queue_size) + " is not a power of two, 4 to 1024");
  }
  return std::unique_ptr<BlkDevice>(new BlkDevice(std::move(config), std::move(store)));
}

BlkDevice::BlkDevice(BlkConfig config, std::unique_ptr<block::BlockStore> store)
    : config_(std::move(config)), store_(std::move(store)) {
  traits_.store = store_->info();
  std::memcpy(traits_.serial.data(), config_.serial.data(), config_.serial.size());
  store_->attach(this);
}

BlkDevice::~BlkDevice() {
  // The store first, and it waits: the kernel may still write to what the slots name, and the
  // guest's memory may go with our activation.
  store_->attach(nullptr);
  store_.reset();
}

DeviceIdentity BlkDevice::identity() const {
  DeviceIdentity identity;
  identity.type = VIRTIO_ID_BLOCK;
  identity.name = "blk";
  identity.features = kFeatureVersion1 | kFeatureIndirectDescriptors | kFeatureEventIdx |
                      disk_features(traits_.store, config_.queues);
  identity.queue_sizes.assign(config_.queues, config_.queue_size);
  identity.required_queues = 1;
  identity.config_size = kConfigBytes;
  return identity;
}

void BlkDevice::read_config(std::size_t offset, std::span<std::byte> out) const {
  read_config_space(traits_.store, config_.queues, config_.queue_size, offset, out);
}

void BlkDevice::write_config(std::size_t /*offset*/, std::span<const std::byte> /*in*/) {
  // nop: only `writeback` could be written, which goes with a feature that is not offered.
}

void BlkDevice::activate(Activation activation) {
  if (state_ != State::Inactive) return;
  activation_ = std::move(activation);
  const auto agreed = [this](unsigned bit) { return (activation_.features >> bit & 1) != 0; };
  traits_.discard = traits_.store.discard && agreed(VIRTIO_BLK_F_DISCARD);
  traits_.write_zeroes = traits_.store.write_zeroes && agreed(VIRTIO_BLK_F_WRITE_ZEROES);
  // 5.2.5: a driver that does not know FLUSH counts on a write that completed.
  traits_.write_through = !agreed(VIRTIO_BLK_F_FLUSH);
  lanes_.assign(activation_.queues.size(), {});
  state_ = State::Active;
}

void BlkDevice::process(QueueIndex queue) {
  if (state_ != State::Active || queue >= lanes_.size()) return;
  drain(queue);
  // Last: it may call back, and whoever it calls may end us.
  store_->submit();
}

/// Starts what is available, as long as it may be in flight. There is a kick for the next chain
/// then, or the lane is `waiting` for a completion.
void BlkDevice::drain(QueueIndex index) {
  Queue& queue = activation_.queues[index];
  Lane& lane = lanes_[index];
  lane.waiting = false;
  queue.disable_notifications();
  do {
    while (true) {
      // A guest that keeps to the rules cannot have more in flight than its queue holds. One that
      // does not must not fill our memory with its requests.
      if (lane.in_flight >= queue.size()) {
        lane.waiting = true;
        return;
      }
      const std::optional<Chain> chain = queue.pop();
      if (!chain) break;
      GuestRequest& request = take_slot();
      request.queue = index;
      parse(*chain, traits_, request);
      ++lane.in_flight;
      ++in_flight_;
      store_->start(request);
    }
  } while (queue.enable_notifications());
}

GuestRequest& BlkDevice::take_slot() {
  if (free_.empty()) return slots_.emplace_back();
  GuestRequest& slot = *free_.back();
  free_.pop_back();
  return slot;
}

void BlkDevice::completed(block::Request& request, int error) {
  auto& slot = static_cast<GuestRequest&>(request);
  count(slot, error);
  Lane& lane = lanes_[slot.queue];
  std::uint32_t written = 0;
  if (slot.status != nullptr) {
    // After the data, and before the push that shows both.
    *slot.status = static_cast<std::byte>(error == 0 ? slot.answer : to_status(error));
    written = error == 0 ? slot.written : 1;
  }
  activation_.queues[slot.queue].push(slot.head, written);
  lane.answered = true;
  --lane.in_flight;
  --in_flight_;
  free_.push_back(&slot);
}

void BlkDevice::completions_end() {
  if (state_ == State::Inactive) return;
  signal_answered();
  bool started = false;
  for (std::size_t at = 0; at < lanes_.size(); ++at) {
    if (state_ != State::Active || !lanes_[at].waiting) continue;
    drain(static_cast<QueueIndex>(at));
    started = true;
  }
  if (state_ == State::Stopping && in_flight_ == 0) {
    at_rest();
  } else if (started) {
    store_->submit();
  }
}

void BlkDevice::signal_answered() {
  for (std::size_t at = 0; at < lanes_.size(); ++at) {
    if (!std::exchange(lanes_[at].answered, false)) continue;
    if (!activation_.queues[at].should_signal() || activation_.interrupt == nullptr) continue;
    activation_.interrupt->signal(static_cast<QueueIndex>(at));
  }
}

void BlkDevice::count(const GuestRequest& request, int error) {
  if (request.status == nullptr) {
    ++stats_.unanswered;
  } else if (error != 0) {
    ++stats_.errors;
  } else if (request.answer != Status::Ok) {
    ++stats_.refused;
  } else if (request.operation == block::Operation::Read) {
    ++stats_.reads;
    stats_.read_bytes += request.length;
  } else if (request.operation == block::Operation::Write) {
    ++stats_.writes;
    stats_.written_bytes += request.length;
  } else if (request.operation == block::Operation::Flush) {
    ++stats_.flushes;
  } else if (request.operation == block::Operation::Discard ||
             request.operation == block::Operation::WriteZeroes) {
    ++stats_.discards;
  }
}

// A disk remembers nothing of its driver, so suspend() is this, too.
void BlkDevice::reset(std::function<void()> done) {
  if (state_ == State::Inactive) {
    if (done) done();
    return;
  }
  stop_done_.push_back(std::move(done));
  if (state_ == State::Stopping) return;
  state_ = State::Stopping;
  // What is in flight is answered first: its chains are in queues that are not ours afterwards.
  if (in_flight_ == 0) at_rest();
}

void BlkDevice::at_rest() {
  // Completions may lie between completed() and completions_end().
  signal_answered();
  activation_ = {};
  lanes_.clear();
  state_ = State::Inactive;
  // Last, and from a copy: they may activate, reset or destroy the device.
  const auto callbacks = std::exchange(stop_done_, {});
  for (const auto& callback : callbacks) {
    if (callback) callback();
  }
}

}  // namespace capsa::virtio::blk
