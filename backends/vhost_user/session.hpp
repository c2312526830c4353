#pragma once

#include <backends/vhost_user/message.hpp>
#include <backends/virtio/device.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace capsa::vhost_user {

/// What a session asks of whoever has the socket. Called from inside the session's functions: an
/// implementation must not call back into it, nor destroy it.
class SessionHost {
 public:
  virtual ~SessionHost() = default;
  /// Bytes for the peer, in order.
  virtual void send(std::span<const std::byte> bytes) = 0;
  /// Call Session::kicked(queue) whenever this eventfd was signalled, until unwatch_kick(). The fd
  /// is the session's.
  virtual void watch_kick(virtio::QueueIndex queue, int fd) = 0;
  virtual void unwatch_kick(virtio::QueueIndex queue) = 0;
  /// Whether more input is wanted: none while the device comes to rest.
  virtual void want_input(bool wanted) = 0;
  /// The peer broke the protocol. Nothing more is taken from it; close() is what is left to do.
  virtual void failed(error why) = 0;
};

/// The back-end's side of vhost-user for one device, without the socket. The peer is a hypervisor
/// process, which a guest may have taken over: indices, sizes, addresses and descriptors are
/// checked, memory is mapped only where its file covers it.
///
/// The device is activated once its required rings have size, addresses and a kick, lie in the
/// memory table and are enabled; with every further ring that is set up by then. Whatever changes
/// under a running device (memory, ring addresses, another ring) makes it come to rest, and go on
/// with the same indices. Messages are handled strictly in order: the answer to one that needs the
/// device at rest, and every later message, waits for that.
///
/// QEMU (7.2) stops the rings with the same messages for a pause of its machine as for a reset of
/// the device by its driver. So a stopped device is only suspended, and what comes next tells: a
/// driver that was paused goes on at the indices that we reported and with the features it had;
/// one that was reset begins at 0. Where an index or the features differ the device is reset before
/// it starts again. What this cannot see is a reset when every index stands at 0: either nothing
/// ever passed, or all have come around at once, and then the new driver's own words must tell
/// (FUSE_INIT does; vsock answers unknown connections with resets).
///
/// Single-threaded: the device's thread.
class Session {
 public:
  /// `device` and `host` outlive the session.
  Session(virtio::Device& device, SessionHost& host);
  /// Resets the device. What it needs to finish lives on until it has.
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  /// Bytes of the stream, cut anywhere. `fds` came with the first of them.
  void feed(std::span<const std::byte> bytes, std::vector<UniqueFd> fds = {});
  /// How many bytes to read next (see MessageReader::wants); 0 while no input is wanted.
  std::size_t wants() const noexcept { return busy() || ended_ ? 0 : reader_.wants(); }
  /// Whether the stream stopped inside a message.
  bool midway() const noexcept { return reader_.midway(); }

  /// The kick of a queue was signalled.
  void kicked(virtio::QueueIndex queue);

  /// Resets the device and lets go of every kick. `done` is called once nothing touches guest
  /// memory any more, possibly before close() returns. Input is ignored from now on. Once.
  void close(std::function<void()> done);

  /// Whether the device is active.
  bool running() const noexcept { return running_ != nullptr; }

 private:
  enum class Enable : std::uint8_t { NotSaid, On, Off };
  /// Whether a device that comes to rest keeps what its driver has at it.
  enum class Rest : std::uint8_t { Suspend, Reset };

  /// A ring as the front-end describes it, in its own addresses.
  struct Ring {
    std::uint16_t size = 0;
    std::uint16_t next_available = 0;
    std::optional<VringAddress> address;
    UniqueFd kick;
    Enable enable = Enable::NotSaid;
    bool was_kicked = false;
    bool error_told = false;
  };
  /// Where a device's interrupts go; may outlive the session while the device comes to rest.
  struct Calls final : virtio::Interrupt {
    std::vector<UniqueFd> call;
    std::vector<UniqueFd> error;
    void signal(virtio::QueueIndex queue) override;
  };
  /// What an active device was given.
  struct Running {
    std::vector<virtio::Queue> queues;
    std::shared_ptr<Calls> calls;
  };
  struct Piece {
    std::vector<std::byte> bytes;
    std::vector<UniqueFd> fds;
    std::size_t used = 0;
  };

  // -- input
  bool busy() const noexcept { return in_hand_.has_value() || stopping_; }
  void work();
  void handle(Message message);
  void tell_want_input();

  // -- how a message in hand ends: exactly one of these
  void reply(std::span<const std::byte> payload);
  void reply(std::uint64_t value) { reply(std::as_bytes(std::span(&value, 1))); }
  void acknowledge(result<void> outcome);
  void fail(error why);

  // -- messages
  void set_features(const Message& message);
  void set_protocol_features(const Message& message);
  void set_mem_table(const Message& message);
  void set_vring_num(const Message& message);
  void set_vring_addr(const Message& message);
  void set_vring_base(const Message& message);
  void get_vring_base(const Message& message);
  void set_vring_enable(const Message& message);
  void set_vring_notifier(Message& message);
  void get_config(const Message& message);
  void set_config(const Message& message);
  void reset_device();
  std::optional<VringState> vring_state(const Message& message) const;

  // -- the device
  std::uint64_t protocol_features_offered() const;
  void change(std::function<void()> apply, bool at_rest = true);
  void change_ring(std::size_t index, std::function<void()> apply);
  void settle(std::function<void(result<void>)> done);
  void rest(Rest how, std::function<void()> then);
  void rested(Rest how, const std::function<void()>& then);
  result<void> activate(std::size_t count);
  result<virtio::Queue> make_queue(virtio::QueueIndex index) const;
  void process(virtio::QueueIndex queue);
  bool enabled(const Ring& ring) const;
  std::size_t runnable() const;
  void drop_kick(virtio::QueueIndex queue);

  virtio::Device& device_;
  SessionHost& host_;
  const virtio::DeviceIdentity identity_;

  MessageReader reader_;
  std::deque<Piece> backlog_;
  std::size_t backlog_bytes_ = 0;
  bool working_ = false;
  bool input_wanted_ = true;
  std::optional<Header> in_hand_;
  bool ended_ = false;

  std::optional<std::uint64_t> features_;  // agreed; none before SET_FEATURES
  std::uint64_t protocol_features_ = 0;
  std::shared_ptr<const memory::GuestMemory> memory_;
  std::vector<Ring> rings_;
  std::shared_ptr<Calls> calls_;

  std::shared_ptr<Running> running_;
  bool stopping_ = false;
  bool has_driver_ = false;      // the device was activated since it was last reset
  bool another_driver_ = false;  // what we were told since then is not from that driver
  std::function<void()> on_closed_;
  std::shared_ptr<Session*> self_;  // emptied by the destructor; what late callbacks look at
};

}  // namespace capsa::vhost_user
