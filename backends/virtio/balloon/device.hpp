#pragma once

#include <backends/virtio/balloon/pages.hpp>
#include <backends/virtio/device.hpp>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

namespace capsa::virtio::balloon {

// virtio 1.2, 5.5.3 "Feature bits".
inline constexpr std::uint64_t kFeatureDeflateOnOom = 1ULL << 2;
inline constexpr std::uint64_t kFeatureReporting = 1ULL << 5;

struct BalloonOptions {
  /// A guest that is about to run out of memory may take pages back unasked. Without it the target
  /// is a limit that the guest would rather kill processes than pass.
  bool deflate_on_oom = true;
  /// The guest says which of its free pages it does not need, and the host has them until the guest
  /// writes to them: no target, no waiting.
  bool reporting = true;
};

/// Counters since construction; for tests, logs and metrics.
struct BalloonStats {
  std::uint64_t inflated = 0;  ///< pages of 4 KiB that went back to the host by way of the balloon
  std::uint64_t reported = 0;  ///< bytes that went back because they were reported free
  std::uint64_t refused = 0;   ///< pages named that are no guest memory, or cannot go
};

/// The host's side of virtio-balloon (virtio 1.2, 5.5). Pages in the balloon and pages reported
/// free are discarded: the host has them until the guest touches them again, and then they are
/// zero. So a guest need not say beforehand that it takes pages out of the balloon
/// (VIRTIO_BALLOON_F_MUST_TELL_HOST is not offered), and nothing is kept about single pages. Every
/// page number is the guest's: it can lose its own memory by them and nothing else. Statistics,
/// hints and page poison are not offered; Linux reports nothing where it poisons its free pages.
///
/// suspend() remembers everything but how far it had got in a chain, which begins anew: to discard
/// twice does no harm. reset() forgets what the driver had in its balloon as well, since to the
/// next one all memory is its own; the target stays. Everything on one thread.
class BalloonDevice final : public virtio::Device {
 public:
  static constexpr std::uint32_t kDeviceType = 5;
  static constexpr QueueIndex kInflateQueue = 0;
  static constexpr QueueIndex kDeflateQueue = 1;
  /// 5.5.2 numbers it 4, but drivers (Linux) and devices number the queues that there are: without
  /// those for statistics and hints this one is the third.
  static constexpr QueueIndex kReportingQueue = 2;
  /// The guest's page numbers count these (5.5.6), whatever the host's pages are. Where
  /// those are larger, only runs that make up whole ones go back.
  static constexpr std::uint64_t kPageSize = 4096;
  /// What one call of process() discards at most: some milliseconds, where each page costs a call
  /// of the kernel. Linux names 256 pages at once.
  static constexpr std::size_t kPagesPerTurn = 1024;
  /// The same for reported pages, which come in blocks of up to 4 MiB.
  static constexpr std::size_t kReportedPerTurn = 64 * 1024 * 1024;

  /// `go_on_later` is called at the end of a process() that left work: the guest was not asked for
  /// a kick, so process_more() must be called, soon, and once all that shares the thread has had a
  /// turn as well.
  explicit BalloonDevice(std::function<void()> go_on_later, BalloonOptions options = {});

  // -- virtio::Device
  DeviceIdentity identity() const override;
  void read_config(std::size_t offset, std::span<std::byte> out) const override;
  void write_config(std::size_t offset, std::span<const std::byte> in) override;
  void activate(Activation activation) override;
  void process(QueueIndex queue) override;
  void suspend(std::function<void()> done) override;
  void reset(std::function<void()> done) override;

  // -- the host side
  /// Goes on after `go_on_later`. Nothing while inactive.
  void process_more();
  /// How many pages of 4 KiB the guest should have in its balloon. It is told at once, or when its
  /// driver is ready, and takes its time; a guest that is short of memory stops before.
  void set_target(std::uint32_t pages);
  std::uint32_t target() const noexcept { return target_; }
  /// How many the guest says it has in it. Its own word: nothing follows from it.
  std::uint32_t actual() const noexcept { return actual_; }

  bool active() const noexcept { return active_.has_value(); }
  const BalloonStats& stats() const noexcept { return stats_; }

 private:
  enum class Outcome { Done, More };

  void greet();
  void end_turn(Outcome outcome);
  Outcome run(QueueIndex index);
  /// Each handles one chain, from where it stopped the last time, and takes what it costs off its
  /// budget. False where that is spent before the chain is done.
  bool inflate(const Chain& chain, std::size_t& budget);
  bool report(const Chain& chain, std::size_t& budget);

  std::function<void()> go_on_later_;
  BalloonOptions options_;
  std::optional<Activation> active_;
  bool reporting_ = false;    // agreed
  bool config_news_ = false;  // the driver has not heard of the latest target
  bool greeted_ = false;      // the first process() since activate() was
  std::uint8_t more_ = 0;     // a bit for each queue that had its turn and was not asked for a kick
  std::uint32_t target_ = 0;
  std::uint32_t actual_ = 0;
  std::uint64_t inflate_done_ = 0;  // pages of the next chain
  std::uint64_t report_done_ = 0;   // whole pages of the next chain, in bytes
  std::vector<PageNumber> pages_;
  BalloonStats stats_;
};

}  // namespace capsa::virtio::balloon
