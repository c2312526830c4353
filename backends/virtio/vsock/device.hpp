#pragma once

#include <backends/virtio/device.hpp>
#include <backends/virtio/vsock/connection.hpp>
#include <backends/virtio/vsock/host.hpp>
#include <backends/virtio/vsock/packet.hpp>
#include <capsa/result.hpp>
#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace capsa::vsock {

/// What one guest may cost us: max_connections x (receive_buffer above us + send_queue here).
struct VsockLimits {
  /// Each usually holds a descriptor of this process, of which 1024 is the usual soft limit.
  std::size_t max_connections = 1024;
  /// What a guest may send ahead of Host: Linux' own default, VIRTIO_VSOCK_DEFAULT_BUF_SIZE.
  std::uint32_t receive_buffer = 256 * 1024;
  /// What is taken from Host beyond the guest's credit or rx buffers: one packet of the largest
  /// size Linux makes.
  std::size_t send_queue = 64 * 1024;
  /// Resets that wait for rx buffers. From there on the guest's packets stay in its own ring.
  std::size_t max_pending_resets = 256;
};

/// Counters since construction; for tests, logs and metrics.
struct VsockStats {
  std::uint64_t packets_received = 0;  ///< well-formed, from this guest to the host
  std::uint64_t packets_sent = 0;
  std::uint64_t bytes_received = 0;  ///< payload
  std::uint64_t bytes_sent = 0;      ///< payload
  std::uint64_t dropped = 0;  ///< too short for a header, or not between this guest and CID 2
  std::uint64_t resets_sent = 0;
  std::uint64_t violations = 0;       ///< connections reset for breaking the protocol
  std::uint64_t useless_buffers = 0;  ///< rx buffers too small for a header and a byte of payload
};

/// The host's side of virtio-vsock (virtio 1.2, 5.10) for one guest: stream sockets between the
/// guest and CID 2. Everything on one thread. What the guest puts into its rings is hostile: it
/// can break its own connections and nothing else, and all that is kept for it is bounded.
///
/// The host side below never calls Host back, except for transport_reset(). It writes straight
/// into the guest's rx buffers while there are some and nobody waits for them; what does not fit is
/// queued, and goes out in turns of one packet per connection as the guest provides buffers.
class VsockDevice final : public virtio::Device {
 public:
  static constexpr std::uint32_t kDeviceType = 19;
  static constexpr virtio::QueueIndex kReceiveQueue = 0;   ///< host to guest
  static constexpr virtio::QueueIndex kTransmitQueue = 1;  ///< guest to host
  static constexpr virtio::QueueIndex kEventQueue = 2;
  /// connect() takes host ports from here up to 2^32-2, where nobody listens by accident.
  static constexpr std::uint32_t kFirstEphemeralPort = 0x8000'0000;

  /// `host` outlives the device.
  VsockDevice(std::uint64_t guest_cid, Host& host, VsockLimits limits = {});

  // -- virtio::Device
  virtio::DeviceIdentity identity() const override;
  void read_config(std::size_t offset, std::span<std::byte> out) const override;
  void write_config(std::size_t offset, std::span<const std::byte> in) override;
  void activate(virtio::Activation activation) override;
  void process(virtio::QueueIndex queue) override;
  void suspend(std::function<void()> done) override;
  void reset(std::function<void()> done) override;

  // -- the host side
  /// Goes on where a process() had `more` to do (Host::processed()). Nothing while inactive.
  void process_more() { process(kTransmitQueue); }
  /// Opens a connection to a guest's port; Host::connected() or closed() follows. There is no
  /// deadline here: reset() takes it back. NotRunning while the guest's driver is not ready (while
  /// it is suspended the request waits), ResourceExhausted at the limit of connections.
  result<ConnectionKey> connect(std::uint32_t guest_port);
  /// Takes what fits and says how much; Host::writable() follows where that is less than given,
  /// and the connection can still send. 0 for an unknown or not yet connected key, after our
  /// shutdown of sending, and after the guest's of receiving.
  std::size_t send(ConnectionKey key, std::span<const std::byte> bytes);
  /// `bytes` of what data() delivered have left the host's buffers.
  void consumed(ConnectionKey key, std::size_t bytes);
  /// We will receive or send no more; flags add up and cannot be taken back. What send() took goes
  /// out first. After both the guest gets the rest, is told, and the connection is forgotten
  /// without waiting for its answer: what it still sends then is answered by a reset, which Linux
  /// expects. A guest that never reads can delay that for ever; whoever minds calls reset() after
  /// some time. True where the connection is gone with this call, and closed() does not follow.
  bool shutdown(ConnectionKey key, bool no_more_receive, bool no_more_send);
  /// Ends a connection at once; closed() does not follow. What was not yet written is dropped.
  void reset(ConnectionKey key);
  /// Every connection is over: the guest was moved, or restored from a snapshot. closed() is called
  /// for each before this returns. Told by an event where the device is active and has an event
  /// queue, else by a reset for each connection.
  void transport_reset();

  /// While one of these lives the guest is not interrupted; then once for all that was done.
  class Batch {
   public:
    explicit Batch(VsockDevice& device) noexcept : device_(device) { ++device_.batches_; }
    Batch(const Batch&) = delete;
    Batch& operator=(const Batch&) = delete;
    ~Batch() {
      if (--device_.batches_ == 0) device_.signal();
    }

   private:
    VsockDevice& device_;
  };

  bool active() const noexcept { return active_.has_value(); }
  std::uint64_t guest_cid() const noexcept { return guest_cid_; }
  std::size_t connections() const noexcept { return connections_.size(); }
  const VsockStats& stats() const noexcept { return stats_; }

 private:
  struct Entry {
    template <class... Args>
    explicit Entry(Args&&... args) : connection(std::forward<Args>(args)...) {}
    Connection connection;
    bool wants_writable = false;
    std::optional<std::list<ConnectionKey>::iterator> waiting;  // its place in waiting_
  };
  using Connections = std::map<ConnectionKey, Entry>;

  /// A reset that belongs to no connection (any more).
  struct PendingReset {
    ConnectionKey key;
    std::uint16_t type;
  };

  /// A connection that is gone, which Host does not know yet.
  struct Closing {
    ConnectionKey key;
    CloseReason reason;
  };

  // device.cpp
  void forget(Connections::iterator at);
  void close_all(CloseReason reason);
  void report_closed();
  bool is_reported_soon(ConnectionKey key) const noexcept;
  void signal();
  ConnectionOptions connection_options() const noexcept;

  // device_receive.cpp: from the guest
  void receive();
  void drain_transmit_queue(std::size_t& budget);
  void handle(const virtio::Chain& chain);
  void handle_request(ConnectionKey key, const Header& header);
  void handle_packet(Connections::iterator at, const Header& header, const virtio::Chain& chain);
  void deliver(ConnectionKey key, const virtio::Chain& chain, std::size_t total);
  void close(Connections::iterator at, CloseReason reason, bool tell_guest);

  // device_transmit.cpp: to the guest
  void transmit();
  bool write_resets();
  bool write_packet(ConnectionKey key, Connection& connection, std::span<const std::byte>& offered);
  void push_packet(const virtio::Chain& chain, const Header& header,
                   std::span<const std::byte> payload);
  void flush(ConnectionKey key, Entry& entry);
  void wait(ConnectionKey key, Entry& entry);
  bool writable_due(const Entry& entry) const noexcept;
  bool nobody_waits() const noexcept { return waiting_.empty() && resets_.empty(); }
  std::optional<virtio::Chain> take_buffer();
  void send_event();
  Header header_for(ConnectionKey key) const noexcept;

  std::uint64_t guest_cid_;
  Host& host_;
  VsockLimits limits_;
  std::optional<virtio::Activation> active_;
  bool has_driver_ = false;  // active, or suspended: what waits for buffers is written later
  PeerTraits peer_;
  Connections connections_;
  std::list<ConnectionKey> waiting_;  // something to write, in turn
  std::deque<PendingReset> resets_;
  std::deque<Closing> closing_;
  std::vector<std::span<const std::byte>> pieces_;  // deliver()'s, kept to save allocations
  std::uint32_t next_port_ = kFirstEphemeralPort;
  bool stalled_ = false;         // packets stay in the tx ring until resets_ has room
  bool more_ = false;            // this process() ends before its work does
  bool buffer_kicks_on_ = true;  // we asked to be kicked for rx buffers
  bool event_owed_ = false;
  unsigned batches_ = 0;
  VsockStats stats_;
};

}  // namespace capsa::vsock
