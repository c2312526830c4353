#pragma once

#include <backends/virtio/vsock/byte_queue.hpp>
#include <backends/virtio/vsock/in_flight.hpp>
#include <backends/virtio/vsock/packet.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

namespace capsa::vsock {

/// What we have learnt about the guest's vsock driver; shared by all connections of a device.
struct PeerTraits {
  /// It sends a credit update whenever a reader has emptied a socket, however little was read.
  /// Linux does since 2024, and so does every Linux that limits the number of queued packets. From
  /// such a guest data may be held back while it still has byte credit; an older one might never
  /// tell that there is room again.
  bool reports_drain = false;
};

struct ConnectionOptions {
  std::uint32_t receive_buffer = 256 * 1024;  ///< bytes; what we advertise as buf_alloc
  std::size_t send_queue = 64 * 1024;         ///< bytes waiting for credit or rx buffers
  /// Where the byte counters of both directions start: both sides of a connection begin at 0.
  std::uint32_t first_count = 0;
};

/// What a packet of the guest means for the connection.
enum class Verdict : std::uint8_t {
  Nothing,
  Connected,     ///< our request was answered
  Deliver,       ///< the payload is for the host
  PeerShutdown,  ///< one direction ended
  Refused,       ///< our request was answered by a reset; the connection is over
  PeerClosed,    ///< both directions ended; answer with a reset, the connection is over
  PeerReset,     ///< the connection is over
  Violation,     ///< answer with a reset, the connection is over
};

/// A packet that waits to be written: for ReadWrite, `length` bytes from the front of queued(), or
/// of what was offered where nothing is queued.
struct Outgoing {
  Op op = Op::Invalid;
  std::uint32_t flags = 0;
  std::size_t length = 0;
};

/// One stream connection: its states, both byte counters, and what is owed to the guest. Pure: it
/// is told what came and what was written, and says what to write next. What is owed is derived
/// from what was really written (sent()), so that nothing gets lost when there was no buffer for
/// it. Everything in a Header is the guest's.
class Connection {
 public:
  enum class Origin : std::uint8_t { Guest, Host };

  /// From the guest's Request, which carries its credit; a Response is owed.
  Connection(ConnectionOptions options, PeerTraits& peer, const Header& request);
  /// From our side; a Request is owed.
  Connection(ConnectionOptions options, PeerTraits& peer);

  // -- from the guest
  /// A packet whose type, addresses and length against its buffers have been checked.
  Verdict receive(const Header& header);

  // -- from the host
  /// Takes what fits into the send queue.
  std::size_t enqueue(std::span<const std::byte> bytes);
  /// Bytes delivered earlier have left our buffers. More than were delivered counts as all.
  void consumed(std::size_t bytes) noexcept;
  /// Flags as in packet.hpp. Sending ends after what is queued.
  void shutdown(std::uint32_t flags) noexcept { shutdown_wanted_ |= flags; }

  // -- to the guest
  /// The next packet, given that `room` bytes of payload fit and that `unqueued` bytes are offered
  /// besides the queue. Nothing where nothing is owed or allowed.
  std::optional<Outgoing> next(std::size_t room = SIZE_MAX, std::size_t unqueued = 0) const;
  /// Puts our credit and the packet's fields into a header.
  void stamp(Header& header, const Outgoing& packet) const noexcept;
  /// The packet is in the guest's hands.
  void sent(const Outgoing& packet);
  std::span<const std::byte> queued() const noexcept { return queue_.front(); }

  // -- properties
  bool established() const noexcept { return state_ == State::Established; }
  /// Whether the guest has heard of this connection, so that it must be told of its end.
  bool known_to_guest() const noexcept { return origin_ == Origin::Guest || request_sent_; }
  bool can_send() const noexcept;
  /// Bytes that enqueue() would take.
  std::size_t room() const noexcept;
  /// Our shutdown of both directions has been written: nothing is left to do.
  bool finished() const noexcept { return shutdown_sent_ == kShutdownBoth; }
  std::uint32_t peer_shutdown() const noexcept { return peer_shutdown_; }

 private:
  enum class State : std::uint8_t { Requesting, Established };

  void learn_credit(const Header& header);
  Verdict receive_data(const Header& header);
  std::uint32_t in_flight_bytes() const noexcept { return sent_ - peer_forwarded_; }
  std::size_t allowance(std::size_t waiting) const noexcept;
  bool may_hold_back() const noexcept;
  bool credit_update_due() const noexcept;

  ConnectionOptions options_;
  PeerTraits& peer_;
  Origin origin_;
  State state_;

  bool request_sent_ = false;
  bool response_owed_ = false;
  bool credit_reply_owed_ = false;
  bool credit_asked_ = false;  // since data was last sent
  std::uint32_t shutdown_wanted_ = 0;
  std::uint32_t shutdown_sent_ = 0;
  std::uint32_t peer_shutdown_ = 0;

  // Guest to host. received_ - forwarded_ bytes are in the host's hands; the guest knows of
  // reported_.
  std::uint32_t received_;
  std::uint32_t forwarded_;
  std::uint32_t reported_;

  // Host to guest.
  std::uint32_t sent_;
  std::uint32_t peer_forwarded_;
  std::uint32_t peer_buffer_ = 0;
  InFlightPackets in_flight_;
  ByteQueue queue_;
};

}  // namespace capsa::vsock
