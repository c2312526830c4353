#include <algorithm>
#include <backends/virtio/console/device.hpp>
#include <utility>

namespace capsa::virtio::console {

namespace {

// A ring's worth is what one turn may cost. Linux fills the whole of a receive queue with pages.
constexpr std::uint16_t kQueueSize = 128;
constexpr std::uint16_t kControlQueueSize = 32;

}  // namespace

ConsoleDevice::ConsoleDevice(Host& host) : ConsoleDevice(host, std::vector<PortSpec>(1)) {}

ConsoleDevice::ConsoleDevice(Host& host, std::vector<PortSpec> ports) : host_(host) {
  for (auto& spec : ports)
    ports_.emplace_back().spec = std::move(spec);
}

result<std::shared_ptr<ConsoleDevice>> ConsoleDevice::create(Host& host,
                                                             std::vector<PortSpec> ports) {
  if (ports.empty() || ports.size() > kMaxPorts) {
    return error(ErrorCode::InvalidConfig, "console: " + std::to_string(ports.size()) +
                                               " ports; there may be 1 to " +
                                               std::to_string(kMaxPorts));
  }
  for (const auto& port : ports) {
    if (port.name.size() > kMaxName || port.name.find('\0') != std::string::npos) {
      return error(ErrorCode::InvalidConfig, "console: a port's name has more than " +
                                                 std::to_string(kMaxName) +
                                                 " bytes, or a zero among them");
    }
  }
  return std::shared_ptr<ConsoleDevice>(new ConsoleDevice(host, std::move(ports)));
}

// -- virtio::Device

DeviceIdentity ConsoleDevice::identity() const {
  DeviceIdentity identity{.type = kDeviceType,
                          .name = "console",
                          .features = kFeatureVersion1 | kFeatureIndirectDescriptors |
                                      kFeatureEventIdx | kFeatureEmergencyWrite | kFeatureSize,
                          .queue_sizes = {kQueueSize, kQueueSize},
                          .required_queues = 2,
                          .config_size = sizeof(Config)};
  if (ports_.size() > 1) {
    identity.features |= kFeatureMultiport;
    identity.queue_sizes.insert(identity.queue_sizes.end(), 2, kControlQueueSize);
    identity.queue_sizes.insert(identity.queue_sizes.end(), 2 * (ports_.size() - 1), kQueueSize);
  }
  return identity;
}

void ConsoleDevice::read_config(std::size_t offset, std::span<std::byte> out) const {
  const Config config{.columns = ports_[0].columns,
                      .rows = ports_[0].rows,
                      .max_ports = static_cast<std::uint32_t>(ports_.size()),
                      .emergency_write = 0};
  std::fill(out.begin(), out.end(), std::byte{0});
  if (offset >= sizeof(Config)) return;
  const auto rest = std::as_bytes(std::span(&config, 1)).subspan(offset);
  std::copy_n(rest.begin(), std::min(rest.size(), out.size()), out.begin());
}

void ConsoleDevice::write_config(std::size_t offset, std::span<const std::byte> in) {
  // virtio 1.2, 5.3.5: the low byte is a character; a driver may use it before it has set up a
  // queue or agreed to anything.
  constexpr std::size_t kAt = offsetof(Config, emergency_write);
  if (offset > kAt || in.size() <= kAt - offset) return;
  // There is no ring that it could wait in: what Host does not take, or not now, is lost.
  if (ports_[0].stalled || !ports_[0].host_open) return;
  const std::byte character = in[kAt - offset];
  const std::span<const std::byte> piece(&character, 1);
  const Turn turn(*this);
  if (host_.output(0, std::span(&piece, 1), 1) == 0 && ports_[0].host_open)
    ports_[0].stalled = true;
}

void ConsoleDevice::activate(Activation activation) {
  if (active_ || activation.queues.size() < 2) return;
  active_ = activation;
  // A driver that agreed to it and has no control queues is served as if it had not.
  multiport_ = ports_.size() > 1 && (activation.features & kFeatureMultiport) != 0 &&
               activation.queues.size() > kControlTransmit;
  greeted_ = false;
  control_more_ = false;
  more_ = false;
  kicks_asked_.reset();
  for (PortIndex port = 0; port < ports_.size(); ++port) {
    ports_[port].more = false;
    // Buffers may come without a kick until somebody waits for one.
    if (has_queue(receive_queue(port)))
      active_->queues[receive_queue(port)].disable_notifications();
  }
  if (multiport_) active_->queues[kControlReceive].disable_notifications();
}

void ConsoleDevice::process(QueueIndex queue) {
  if (!active_) return;
  const Turn turn(*this);
  greet();
  if (!has_queue(queue)) return;
  if (queue == kControlReceive) {
    write_control();
  } else if (queue == kControlTransmit) {
    read_control();
  } else {
    const PortIndex port = queue < 2 ? 0 : queue / 2 - 1;
    if (queue == receive_queue(port)) {
      offer_room(port);
    } else {
      drain(port);
    }
  }
}

void ConsoleDevice::process_more() {
  if (!active_) return;
  const Turn turn(*this);
  if (std::exchange(control_more_, false)) read_control();
  for (PortIndex port = 0; port < ports_.size(); ++port)
    if (ports_[port].more) drain(port);
}

void ConsoleDevice::suspend(std::function<void()> done) {
  // Nothing is in flight: a chain is either given back by the call that took it or put back into
  // its ring, and Port::taken says how much of it is done.
  active_.reset();
  if (done) done();
}

void ConsoleDevice::reset(std::function<void()> done) {
  // Inactive before Host hears of it: what it calls from opened() finds nothing to touch.
  active_.reset();
  multiport_ = false;
  for (Port& port : ports_) {
    port.ready = false;
    port.owed = 0;
    port.taken = 0;
  }
  for (PortIndex port = 0; port < ports_.size(); ++port)
    set_guest_open(port, false);
  if (done) done();
}

// -- helpers

/// What is due to Host and driver since activate(): there they are not called, as the transport is
/// still at work.
void ConsoleDevice::greet() {
  if (std::exchange(greeted_, true)) return;
  if (std::exchange(config_news_, false) && active_->interrupt != nullptr)
    active_->interrupt->config_changed();
  if (!multiport_) set_guest_open(0, true);
}

void ConsoleDevice::end_turn() {
  if (std::exchange(more_, false)) host_.go_on_later();
  if (!active_) return;
  for (QueueIndex index = 0; has_queue(index); ++index)
    if (active_->queues[index].should_signal() && active_->interrupt != nullptr)
      active_->interrupt->signal(index);
}

bool ConsoleDevice::has_queue(QueueIndex queue) const noexcept {
  const std::size_t known = multiport_ ? 2 + 2 * ports_.size() : 2;
  return active_ && queue < std::min(known, active_->queues.size());
}

std::optional<Chain> ConsoleDevice::take_buffer(QueueIndex index, std::size_t least) {
  Queue& queue = active_->queues[index];
  // A driver that adds useless buffers as fast as we give them back gets one ring's worth of
  // patience for each kick.
  for (unsigned useless = 0; useless <= queue.size(); ++useless) {
    auto chain = queue.pop();
    if (!chain) {
      kicks_asked_.set(index);
      if (!queue.enable_notifications()) return std::nullopt;
      chain = queue.pop();
      if (!chain) return std::nullopt;
    }
    if (chain->writable_bytes() >= least) {
      if (kicks_asked_.test(index)) {
        kicks_asked_.reset(index);
        queue.disable_notifications();
      }
      return chain;
    }
    queue.push(chain->head, 0);
  }
  kicks_asked_.set(index);
  (void)queue.enable_notifications();
  return std::nullopt;
}

}  // namespace capsa::virtio::console
