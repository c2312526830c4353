#include <sys/random.h>

#include <algorithm>
#include <backends/virtio/rng/device.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

namespace capsa::virtio::rng {

namespace {

/// Gives how many bytes were made: all, unless the host's kernel has no such call. Blocks only on a
/// host that has just booted and never had any randomness (getrandom(2)).
std::size_t make_random(std::span<std::byte> out) {
  std::size_t made = 0;
  while (made < out.size()) {
    const ssize_t count = ::getrandom(out.data() + made, out.size() - made, 0);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) break;
    made += static_cast<std::size_t>(count);
  }
  return made;
}

}  // namespace

RngDevice::RngDevice(std::function<void()> go_on_later) : go_on_later_(std::move(go_on_later)) {}

DeviceIdentity RngDevice::identity() const {
  return {.type = kDeviceType,
          .name = "rng",
          .features = kFeatureVersion1 | kFeatureIndirectDescriptors | kFeatureEventIdx,
          .queue_sizes = {64},
          .required_queues = 1,
          .config_size = 0};
}

void RngDevice::read_config(std::size_t /*offset*/, std::span<std::byte> out) const {
  // virtio 1.2, 5.4.4: there is none.
  std::fill(out.begin(), out.end(), std::byte{0});
}

void RngDevice::write_config(std::size_t /*offset*/, std::span<const std::byte> /*in*/) {
  // nop
}

void RngDevice::activate(Activation activation) {
  if (active_ || activation.queues.empty()) return;
  active_ = activation;
}

void RngDevice::process(QueueIndex queue) {
  if (!active_ || queue != kRequestQueue) return;
  const bool all = drain();
  if (active_->queues[kRequestQueue].should_signal() && active_->interrupt != nullptr)
    active_->interrupt->signal(kRequestQueue);
  if (!all && go_on_later_) go_on_later_();
}

void RngDevice::reset(std::function<void()> done) {
  // Nothing is in flight: every chain was given back by the call that took it.
  active_.reset();
  if (done) done();
}

bool RngDevice::drain() {
  Queue& queue = active_->queues[kRequestQueue];
  std::size_t chains = queue.size();
  std::size_t bytes = kBytesPerTurn;
  queue.disable_notifications();
  do {
    for (;;) {
      // The last chain may take the budget below nothing, by less than a chain's worth.
      if (chains == 0 || bytes == 0) return false;
      const auto chain = queue.pop();
      if (!chain) break;
      const std::uint32_t written = fill(*chain);
      queue.push(chain->head, written);
      --chains;
      bytes -= std::min<std::size_t>(bytes, written);
    }
  } while (queue.enable_notifications());
  return true;
}

/// By way of a buffer of ours, so that what the guest maps there cannot fail in the middle.
std::uint32_t RngDevice::fill(const Chain& chain) {
  const std::size_t wanted = std::min(chain.writable_bytes(), kBytesPerChain);
  std::size_t written = 0;
  while (written < wanted) {
    const std::size_t made =
        make_random(std::span(bytes_).first(std::min(bytes_.size(), wanted - written)));
    if (made == 0) break;
    written += chain.copy_in(written, std::span<const std::byte>(bytes_).first(made));
  }
  // What went to one guest is nobody else's.
  explicit_bzero(bytes_.data(), bytes_.size());
  return static_cast<std::uint32_t>(written);
}

}  // namespace capsa::virtio::rng
