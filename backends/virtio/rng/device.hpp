#pragma once

#include <array>
#include <backends/virtio/device.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>

namespace capsa::virtio::rng {

/// The host's side of virtio-rng (virtio 1.2, 5.4): every buffer the guest gives is filled from
/// getrandom(2), which is as good as the host's own randomness and does not wear out. The guest can
/// cost us the time to make the bytes, and that is bounded for each call. It keeps nothing of the
/// driver: suspend() and reset() are the same. Everything on one thread.
class RngDevice final : public virtio::Device {
 public:
  static constexpr std::uint32_t kDeviceType = 4;
  static constexpr QueueIndex kRequestQueue = 0;
  /// A chain gets no more than this (5.4.6.2 asks for one byte at least). Linux asks for 64 bytes
  /// at a time, or for what read(2) of /dev/hwrng wants.
  static constexpr std::size_t kBytesPerChain = 64 * 1024;
  /// What one call of process() makes: below a millisecond of work.
  static constexpr std::size_t kBytesPerTurn = 256 * 1024;

  /// `go_on_later` is called at the end of a process() that left work: the guest was not asked for
  /// a kick, so process_more() must be called, soon, and once all that shares the thread has had a
  /// turn as well.
  explicit RngDevice(std::function<void()> go_on_later);

  // -- virtio::Device
  DeviceIdentity identity() const override;
  void read_config(std::size_t offset, std::span<std::byte> out) const override;
  void write_config(std::size_t offset, std::span<const std::byte> in) override;
  void activate(Activation activation) override;
  void process(QueueIndex queue) override;
  void reset(std::function<void()> done) override;

  /// Goes on after `go_on_later`. Nothing while inactive.
  void process_more() { process(kRequestQueue); }

  bool active() const noexcept { return active_.has_value(); }

 private:
  /// False where there is work left.
  bool drain();
  std::uint32_t fill(const Chain& chain);

  std::function<void()> go_on_later_;
  std::optional<Activation> active_;
  std::array<std::byte, 4096> bytes_;
};

}  // namespace capsa::virtio::rng
