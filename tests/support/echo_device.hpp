#pragma once

#include <algorithm>
#include <array>
#include <backends/virtio/device.hpp>
#include <cstdlib>
#include <tests/support/fake_driver.hpp>
#include <utility>

namespace capsa::test {

/// A device that gives every chain back with its readable bytes copied to its writable ones. It
/// has three queues and needs two; its configuration space is 16 bytes that count up from 0x40.
class EchoDevice final : public virtio::Device {
 public:
  static constexpr std::uint64_t kFeatures =
      virtio::kFeatureVersion1 | virtio::kFeatureEventIdx | virtio::kFeatureIndirectDescriptors | 1;

  static constexpr std::size_t kMaxEcho = 64 * 1024;

  virtio::DeviceIdentity identity() const override {
    return {.type = type,
            .name = "echo",
            .features = kFeatures,
            .queue_sizes = {16, 16, 16},
            .required_queues = 2,
            .config_size = 16};
  }
  void read_config(std::size_t offset, std::span<std::byte> out) const override {
    for (std::size_t i = 0; i < out.size(); ++i) {
      out[i] = offset + i < 16 ? std::byte(config[offset + i]) : std::byte{0};
    }
  }
  void write_config(std::size_t offset, std::span<const std::byte> in) override {
    for (std::size_t i = 0; i < in.size() && offset + i < 16; ++i) {
      config[offset + i] = static_cast<unsigned char>(in[i]);
    }
  }
  void activate(virtio::Activation with) override {
    ++activations;
    active = std::move(with);
  }
  void process(virtio::QueueIndex index) override {
    if (!active || index >= active->queues.size()) return;
    ++processed[index];
    auto& queue = active->queues[index];
    do {
      while (auto chain = queue.pop()) {
        // Capped: a guest can make a chain of 4 GiB out of one page.
        Bytes bytes(std::min({chain->readable_bytes(), chain->writable_bytes(), kMaxEcho}));
        chain->copy_out(0, bytes);
        chain->copy_in(0, bytes);
        queue.push(chain->head, static_cast<std::uint32_t>(bytes.size()));
      }
    } while (queue.enable_notifications());
    if (queue.should_signal()) active->interrupt->signal(index);
  }
  void suspend(std::function<void()> done) override {
    ++suspensions;
    rest(std::move(done));
  }
  void reset(std::function<void()> done) override {
    ++resets;
    rest(std::move(done));
  }
  /// Ends a suspension or reset that `slow` held back.
  void finish_rest() {
    active.reset();
    std::exchange(pending_rest, nullptr)();
  }

  std::uint32_t type = 42;
  bool slow = false;  ///< suspensions and resets wait for finish_rest()
  std::optional<virtio::Activation> active;
  std::function<void()> pending_rest;
  std::map<virtio::QueueIndex, int> processed;
  int activations = 0;
  int suspensions = 0;
  int resets = 0;
  std::array<unsigned char, 16> config{0x40, 0x41, 0x42, 0x43, 0x44, 0x45, 0x46, 0x47,
                                       0x48, 0x49, 0x4a, 0x4b, 0x4c, 0x4d, 0x4e, 0x4f};

 private:
  void rest(std::function<void()> done) {
    if (slow) {
      // One after the other is the transport's duty.
      if (pending_rest) std::abort();
      pending_rest = std::move(done);
      return;
    }
    active.reset();
    done();
  }
};

}  // namespace capsa::test
