#include <algorithm>
#include <backends/virtio/net/device.hpp>
#include <bit>
#include <net/layers.hpp>
#include <string>
#include <utility>

namespace capsa::virtio::nic {
namespace {

/// RFC 791: every link carries packets of 68 bytes. virtio 1.2, 5.1.4.1 says the same.
constexpr std::uint16_t kMinMtu = 68;

error bad(std::string_view field, std::string_view what) {
  return {ErrorCode::InvalidConfig,
          "network card " + std::string(field) + ": " + std::string(what)};
}

}  // namespace

result<std::unique_ptr<NetDevice>> NetDevice::create(NetConfig config, net::FramePort& port,
                                                     std::shared_ptr<net::FramePool> pool,
                                                     std::function<void()> go_on_later) {
  if (!pool || !go_on_later) return bad("pool", "there is none, or nobody who goes on later");
  const bool none =
      std::all_of(config.mac.begin(), config.mac.end(), [](auto b) { return b == 0; });
  if (none || (config.mac[0] & 1) != 0) return bad("mac", "it is not the address of one station");
  if (config.mtu != 0 && config.mtu < kMinMtu) {
    return bad("mtu", std::to_string(config.mtu) + " is not 68 to 65535");
  }
  if (config.queue_pairs == 0 || config.queue_pairs > kMaxQueuePairs) {
    return bad("queue pairs", std::to_string(config.queue_pairs) + " is not 1 to 16");
  }
  if (config.queue_size < 16 || config.queue_size > 1024 ||
      !std::has_single_bit(config.queue_size)) {
    return bad("queue size",
               std::to_string(config.queue_size) + " is not a power of two, 16 to 1024");
  }
  if (config.backlog == 0 || config.backlog > 4096) {
    return bad("backlog", std::to_string(config.backlog) + " is not 1 to 4096");
  }
  return std::unique_ptr<NetDevice>(
      new NetDevice(config, port, std::move(pool), std::move(go_on_later)));
}

NetDevice::NetDevice(NetConfig config, net::FramePort& port, std::shared_ptr<net::FramePool> pool,
                     std::function<void()> go_on_later)
    : config_(config), port_(port), pool_(std::move(pool)), go_on_later_(std::move(go_on_later)) {
  lanes_.reserve(config_.queue_pairs);
  for (std::uint16_t at = 0; at < config_.queue_pairs; ++at)
    lanes_.emplace_back(config_.backlog);
  port_.attach(this);
}

NetDevice::~NetDevice() {
  port_.attach(nullptr);
}

// -- Device

DeviceIdentity NetDevice::identity() const {
  DeviceIdentity identity;
  identity.type = kDeviceType;
  identity.name = "net";
  identity.features = kFeatureVersion1 | kFeatureIndirectDescriptors | kFeatureEventIdx |
                      kFeatureMac | kFeatureStatus | kFeatureMergeableBuffers |
                      kFeatureGuestChecksum | kFeatureGuestTso4 | kFeatureGuestTso6 |
                      kFeatureGuestEcn | host_offload_features(port_.offloads());
  if (config_.mtu != 0) identity.features |= kFeatureMtu;
  identity.queue_sizes.assign(std::size_t{2} * config_.queue_pairs, config_.queue_size);
  if (config_.queue_pairs > 1) {
    // The number of pairs is all that a control queue is for here. Without it there is no queue.
    identity.features |= kFeatureControlQueue | kFeatureMultiQueue;
    identity.queue_sizes.push_back(config_.queue_size);
  }
  identity.required_queues = 2;
  identity.config_size = kConfigBytes;
  return identity;
}

void NetDevice::read_config(std::size_t offset, std::span<std::byte> out) const {
  std::array<std::byte, kConfigBytes> space{};
  std::transform(config_.mac.begin(), config_.mac.end(), space.begin(),
                 [](std::uint8_t byte) { return std::byte{byte}; });
  const auto put = [&space](std::size_t at, unsigned value) {
    space[at] = static_cast<std::byte>(value);
    space[at + 1] = static_cast<std::byte>(value >> 8);
  };
  put(6, config_.link_up ? kStatusLinkUp : 0U);
  put(8, config_.queue_pairs);
  put(10, config_.mtu);
  std::fill(out.begin(), out.end(), std::byte{0});
  if (offset >= space.size()) return;
  const auto rest = std::span<const std::byte>(space).subspan(offset);
  std::copy_n(rest.begin(), std::min(rest.size(), out.size()), out.begin());
}

void NetDevice::write_config(std::size_t /*offset*/, std::span<const std::byte> /*in*/) {
  // nop: the address is written by drivers of before virtio 1.0 only, and ours to give.
}

void NetDevice::activate(Activation activation) {
  if (active_ || activation.queues.size() < 2) return;
  active_ = activation;
  guest_ = guest_offloads(active_->features);
  host_ = host_offloads(active_->features & identity().features);
  mergeable_ = agreed(kFeatureMergeableBuffers);
  mtu_agreed_ = agreed(kFeatureMtu);
  header_bytes_ = mergeable_ || agreed(kFeatureVersion1) ? kHeaderBytes : kLegacyHeaderBytes;
  // virtio 1.2, 5.1.2: behind all pairs where several were agreed, else behind the first.
  const std::size_t at =
      agreed(kFeatureMultiQueue) ? std::size_t{2} * config_.queue_pairs : std::size_t{2};
  const bool controlled = agreed(kFeatureControlQueue) && at < active_->queues.size();
  control_queue_ = controlled ? static_cast<QueueIndex>(at) : QueueIndex{0};
  // A transport may keep the control queue to itself, as QEMU does over vhost-user. Then we do not
  // hear how many pairs are used, and serve all that are set up, maybe one after the other: a flow
  // is still received where it was sent.
  if (agreed(kFeatureMultiQueue) && !controlled)
    pairs_ = usable_pairs();
  else if (!has_driver_)
    pairs_ = 1;
  pairs_ = std::min(pairs_, usable_pairs());
  has_driver_ = true;
  for (std::size_t index = 0; index < lanes_.size(); ++index) {
    Lane& lane = lanes_[index];
    lane.starved = lane.receive_more = lane.buffer_kicks = lane.stalled = lane.transmit_more =
        false;
    // Buffers may come without a kick as long as there are enough.
    if (index < usable_pairs()) receive_queue(index).disable_notifications();
  }
}

void NetDevice::process(QueueIndex queue) {
  if (!active_) return;
  const Turn turn(*this);
  if (queue != 0 && queue == control_queue_) {
    control(active_->queues[queue]);
  } else if (queue / 2 < pairs_) {
    if (queue % 2 == 0) {
      lanes_[queue / 2].starved = false;
      flush(queue / 2);
    } else {
      transmit(queue / 2);
    }
  }
}

void NetDevice::process_more() {
  if (!active_) return;
  const Turn turn(*this);
  if (control_more_) control(active_->queues[control_queue_]);
  for (std::size_t lane = 0; lane < pairs_; ++lane) {
    if (lanes_[lane].transmit_more) transmit(lane);
    if (lanes_[lane].receive_more) flush(lane);
  }
}

void NetDevice::suspend(std::function<void()> done) {
  // Nothing is in flight: every chain was given back by the call that took it. Frames go on to
  // come, as for a guest that gives no buffers.
  active_.reset();
  control_more_ = false;
  if (done) done();
}

void NetDevice::reset(std::function<void()> done) {
  active_.reset();
  has_driver_ = false;
  control_more_ = false;
  pairs_ = 1;
  guest_ = host_ = {};
  steering_.forget();
  for (Lane& lane : lanes_)
    lane.backlog.clear();
  if (done) done();
}

// -- the host side

net::Offloads NetDevice::offloads() const {
  net::Offloads taken = guest_;
  taken.checksum = true;
  return taken;
}

void NetDevice::credit_available() {
  if (!active_) return;
  const Turn turn(*this);
  for (std::size_t lane = 0; lane < pairs_; ++lane)
    if (lanes_[lane].stalled) transmit(lane);
}

void NetDevice::set_link(bool up) {
  if (config_.link_up == up) return;
  config_.link_up = up;
  if (agreed(kFeatureStatus) && active_->interrupt != nullptr) active_->interrupt->config_changed();
}

std::size_t NetDevice::waiting() const noexcept {
  std::size_t frames = 0;
  for (const Lane& lane : lanes_)
    frames += lane.backlog.size();
  return frames;
}

// -- helpers

/// Pairs that were set up, of those that may be used.
std::uint16_t NetDevice::usable_pairs() const noexcept {
  const std::size_t most = agreed(kFeatureMultiQueue) ? config_.queue_pairs : 1;
  return static_cast<std::uint16_t>(std::min(most, active_->queues.size() / 2));
}

/// virtio 1.2, 5.1.4.1: the MTU is about what is on the wire, so not about what is still to be cut.
std::size_t NetDevice::max_length(std::span<const std::byte> frame,
                                  const net::FrameMeta& meta) const {
  if (!mtu_agreed_ || meta.gso != net::Gso::None) return net::kMaxFrame;
  return std::min(net::kMaxFrame, net::ethernet_header_length(frame) + config_.mtu);
}

void NetDevice::end_turn() {
  if (active_) {
    for (std::size_t index = 0; index < active_->queues.size(); ++index)
      if (active_->queues[index].should_signal() && active_->interrupt != nullptr)
        active_->interrupt->signal(static_cast<QueueIndex>(index));
  }
  if (std::exchange(more_, false)) go_on_later_();
}

}  // namespace capsa::virtio::nic
