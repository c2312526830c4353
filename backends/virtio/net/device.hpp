#pragma once

#include <array>
#include <backends/virtio/device.hpp>
#include <backends/virtio/net/frame_queue.hpp>
#include <backends/virtio/net/protocol.hpp>
#include <backends/virtio/net/steering.hpp>
#include <capsa/result.hpp>
#include <cstdint>
#include <functional>
#include <memory>
#include <net/frame_port.hpp>
#include <optional>
#include <vector>

namespace capsa::virtio::nic {

struct NetConfig {
  std::array<std::uint8_t, 6> mac{};  ///< of one station, and not zero
  /// Bytes of an IP packet, 68 to 65535; 0 lets the driver choose (1500, usually).
  std::uint16_t mtu = 0;
  /// One per CPU of the guest saves it locks; all are served by one thread. 1 to 16.
  std::uint16_t queue_pairs = 1;
  /// Of each queue; a power of two, 16 to 1024. 256 is what QEMU gives.
  std::uint16_t queue_size = 256;
  /// Frames that wait for receive buffers, of each queue pair; 1 to 4096. As many as a ring holds:
  /// what a guest does not fetch in that time it would rather lose than get late.
  std::uint16_t backlog = 256;
  bool link_up = true;
};

/// Counters since construction; for tests, logs and metrics. Bytes are those of frames without
/// their headers of virtio. Every frame that is taken and not handed on is in one of them.
struct NetStats {
  std::uint64_t sent_frames = 0;  ///< from the guest to the port
  std::uint64_t sent_bytes = 0;
  std::uint64_t send_bad_length = 0;  ///< shorter than a header and a frame, or too long
  std::uint64_t send_bad_header = 0;  ///< asks for what was not agreed or does not fit the frame
  std::uint64_t send_no_memory = 0;   ///< the pool has reached its cap
  std::uint64_t send_link_down = 0;
  std::uint64_t send_refused = 0;     ///< the port took less than it had said
  std::uint64_t received_frames = 0;  ///< from the port to the guest
  std::uint64_t received_bytes = 0;
  std::uint64_t receive_not_ready = 0;   ///< no driver, or the link is down
  std::uint64_t receive_overflow = 0;    ///< the backlog or the pool is full
  std::uint64_t receive_unaccepted = 0;  ///< the driver does not take such frames
  std::uint64_t receive_too_long = 0;    ///< for the MTU, or for the buffers of the driver
  std::uint64_t useless_buffers = 0;     ///< receive buffers too small for a header
  std::uint64_t control_errors = 0;      ///< commands that were refused
};

/// A network card (virtio 1.2, 5.1) on one FramePort. Everything on one thread. What the guest puts
/// into its rings is hostile: it can lose its own frames and nothing else. Each frame is copied out
/// of guest memory once, and judged in the copy. A guest that is slow to give receive buffers holds
/// frames of its own pool only, not those of whoever sends to it.
///
/// Frames of the guest stay in its ring while the port has no credit.
class NetDevice final : public Device, public net::FrameReceiver {
 public:
  static constexpr std::uint32_t kDeviceType = 1;
  static constexpr std::uint16_t kMaxQueuePairs = 16;
  /// mac, status, max_virtqueue_pairs, mtu (virtio 1.2, 5.1.4).
  static constexpr std::size_t kConfigBytes = 12;

  /// `port` outlives the device, which attaches itself. `pool` bounds what frames of this guest
  /// cost. `go_on_later` is called, last in a call into the device, where the guest fills its rings
  /// as fast as they are emptied and has had its turn: it was not asked for a kick, so
  /// process_more() must be called, soon, and once all that shares the thread has had a turn as
  /// well. InvalidConfig, where the message names the field.
  static result<std::unique_ptr<NetDevice>> create(NetConfig config, net::FramePort& port,
                                                   std::shared_ptr<net::FramePool> pool,
                                                   std::function<void()> go_on_later);
  ~NetDevice() override;

  // -- Device
  DeviceIdentity identity() const override;
  void read_config(std::size_t offset, std::span<std::byte> out) const override;
  void write_config(std::size_t offset, std::span<const std::byte> in) override;
  void activate(Activation activation) override;
  void process(QueueIndex queue) override;
  void suspend(std::function<void()> done) override;
  void reset(std::function<void()> done) override;

  // -- net::FrameReceiver
  /// Interrupts once for all that is written. What finds no buffers waits, bounded, also while the
  /// device is suspended; then it is dropped and counted.
  void receive(net::FrameBatch batch) override;
  void credit_available() override;
  /// A checksum is always taken: it is completed here for drivers that do not.
  net::Offloads offloads() const override;

  // -- the host side
  /// Goes on where a call ended before its work did. Nothing while inactive.
  void process_more();
  /// Plugs the cable in, or pulls it. While it is out frames of both directions are dropped.
  void set_link(bool up);

  bool active() const noexcept { return active_.has_value(); }
  bool link_up() const noexcept { return config_.link_up; }
  /// How many queue pairs the driver uses.
  std::uint16_t queue_pairs() const noexcept { return pairs_; }
  /// Frames that wait for receive buffers.
  std::size_t waiting() const noexcept;
  const NetStats& stats() const noexcept { return stats_; }

 private:
  /// A queue pair.
  struct Lane {
    explicit Lane(std::size_t capacity) : backlog(capacity) {}
    FrameQueue backlog;
    bool starved = false;        // no buffers: there is a kick when there are some
    bool receive_more = false;   // the backlog goes on at process_more()
    bool buffer_kicks = false;   // we asked to be kicked for buffers
    bool stalled = false;        // frames stay in the ring until there is credit
    bool transmit_more = false;  // the ring goes on at process_more()
  };
  enum class Delivery : std::uint8_t { Done, NoBuffers, TurnOver };
  /// A receive buffer that was popped and not yet pushed.
  struct Taken {
    Chain chain;
    std::size_t room = 0;
  };

  /// While one of these lives the guest is not interrupted; then once for all that was done.
  class Turn {
   public:
    explicit Turn(NetDevice& device) noexcept : device_(device) { ++device_.turns_; }
    Turn(const Turn&) = delete;
    Turn& operator=(const Turn&) = delete;
    ~Turn() {
      if (--device_.turns_ == 0) device_.end_turn();
    }

   private:
    NetDevice& device_;
  };

  NetDevice(NetConfig config, net::FramePort& port, std::shared_ptr<net::FramePool> pool,
            std::function<void()> go_on_later);

  // device.cpp
  bool agreed(std::uint64_t feature) const noexcept {
    return active_ && (active_->features & feature) != 0;
  }
  Queue& receive_queue(std::size_t lane) noexcept { return active_->queues[2 * lane]; }
  Queue& transmit_queue(std::size_t lane) noexcept { return active_->queues[2 * lane + 1]; }
  std::uint16_t usable_pairs() const noexcept;
  std::size_t max_length(std::span<const std::byte> frame, const net::FrameMeta& meta) const;
  void end_turn();

  // device_transmit.cpp: from the guest
  void transmit(std::size_t index);
  void take(const Chain& chain, std::size_t lane, net::FrameBatch& batch);
  void send(net::FrameBatch& batch);

  // device_receive.cpp: to the guest
  void flush(std::size_t index);
  void queue_up(Lane& lane, net::Frame frame);
  Delivery deliver(std::size_t index, net::Frame& frame, std::size_t& budget);
  bool prepare(net::Frame& frame);
  bool next_buffer(Lane& lane, Queue& queue, Taken& taken);
  void write(Queue& queue, const net::Frame& frame);
  void put_back(Queue& queue) noexcept;

  // device_control.cpp
  void control(Queue& queue);
  std::byte handle(const Chain& chain);
  void set_queue_pairs(std::uint16_t pairs);

  NetConfig config_;
  net::FramePort& port_;
  std::shared_ptr<net::FramePool> pool_;
  std::function<void()> go_on_later_;

  std::optional<Activation> active_;
  bool has_driver_ = false;  // active, or suspended: what waits is written later
  net::Offloads guest_;      // agreed
  net::Offloads host_;
  bool mergeable_ = false;
  bool mtu_agreed_ = false;
  std::size_t header_bytes_ = kHeaderBytes;
  QueueIndex control_queue_ = 0;
  std::uint16_t pairs_ = 1;

  std::vector<Lane> lanes_;
  Steering steering_;
  std::vector<Taken> taken_;  // of the frame that is being delivered; kept to save allocations
  std::size_t taken_count_ = 0;
  std::vector<Queue::Used> used_;  // those, to be given back; kept in the same way
  bool control_more_ = false;
  bool more_ = false;
  unsigned turns_ = 0;
  NetStats stats_;
};

}  // namespace capsa::virtio::nic
