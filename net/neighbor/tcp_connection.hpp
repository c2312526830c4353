#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <net/neighbor/tcp_segment.hpp>
#include <optional>
#include <span>
#include <vector>

namespace capsa::net::neighbor {

/// Our end of one TCP connection that a guest opened (RFC 9293), as small as a service of short
/// messages can have it. The guest is hostile: segments are taken in order only, so nothing is kept
/// of what comes; RST, SYN and acknowledgments count only where they fit (RFC 5961); what waits to
/// be sent is bounded, and so are the tries. No options but MSS, and so no window above 65535. The
/// link is a switch in this process: there is no congestion control beyond kMaxInFlight, and no
/// round trip to be measured. Single-threaded.
class TcpConnection {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Output = std::function<void(FrameBytes)>;

  /// What the peer may send beyond what it knows to have arrived. It is always the same, as what
  /// arrives is handed on at once.
  static constexpr std::uint16_t kWindow = 8192;
  /// Bytes to be sent or to be acknowledged: the longest DNS message with its length, and some
  /// short ones.
  static constexpr std::size_t kMaxBuffer = 70'000;
  /// Segments: eight connections of a guest do not overrun its ring of 256.
  static constexpr std::size_t kMaxInFlight = 16;
  /// What a peer that says less is sent all the same: below, nearly all would be headers.
  static constexpr std::uint16_t kLeastMss = 64;
  /// How often the same is sent again: after 1, 2 and 4 s. 8 s later it is given up.
  static constexpr unsigned kTries = 3;
  static constexpr std::chrono::seconds kFirstTry{1};
  /// Without touch(), and with nothing new that is all acknowledged; then FIN, then RST.
  static constexpr std::chrono::seconds kIdle{10};
  /// Answers to what does not fit the connection, in a second (RFC 5961, 7).
  static constexpr unsigned kMaxChallenges = 10;

  struct Options {
    TcpPath path;
    std::uint16_t mtu = 1500;  ///< of IP, both ways
    std::uint32_t isn = 0;     ///< ours, which nobody can guess
  };

  /// `syn` opens it: it is answered through `out`. What data it may have is sent again by the peer.
  TcpConnection(const Options& options, std::span<const std::byte> frame, const Packet& syn,
                Time now, const Output& out);

  /// Takes a segment of the peer with a right checksum. The part of `frame` that continues its
  /// stream; flush() acknowledges it.
  std::span<const std::byte> on_segment(std::span<const std::byte> frame, const Packet& packet,
                                        Time now, const Output& out);
  /// To be sent by flush(). False where there is no room, or it is closing: nothing is taken then.
  bool send(std::span<const std::byte> bytes, Time now);
  /// FIN behind all that is to be sent.
  void close(Time now);
  /// Sends what can be, and what acknowledgment is due.
  void flush(Time now, const Output& out);
  /// Ends it with a RST.
  void abort(const Output& out);
  /// Something of use came: it is not idle.
  void touch(Time now) noexcept { idle_at_ = now + kIdle; }

  bool is_closed() const noexcept { return state_ == State::Closed; }
  bool is_closing() const noexcept { return fin_queued_ || is_closed(); }
  bool peer_has_closed() const noexcept { return peer_closed_; }

  Time next_deadline() const;
  void on_deadline(Time now, const Output& out);

 private:
  enum class State : std::uint8_t { SynReceived, Established, Closed };

  bool on_control(const Packet& packet, Time now, const Output& out);
  bool on_acknowledgment(const Packet& packet, std::size_t window, Time now, const Output& out);
  void acknowledged(std::size_t count, Time now);
  void transmit(bool probe, const Output& out);
  void resend(Time now, const Output& out);
  bool may_challenge(Time now) noexcept;
  void challenge(Time now, const Output& out);
  void emit(std::uint8_t flags, std::uint32_t sequence, std::span<const std::byte> payload,
            const Output& out);
  void emit_syn_ack(const Output& out);
  void finish_if_done() noexcept;
  bool owes() const noexcept { return sent_ != 0 || left() != 0 || state_ == State::SynReceived; }
  /// Of the sequence space, from una_: the bytes and the FIN behind them.
  std::size_t left() const noexcept {
    return buffer_.size() + (fin_queued_ && !fin_acknowledged_ ? 1 : 0);
  }

  TcpPath path_;
  std::uint16_t our_mss_;
  std::uint16_t mss_;  // of what we send
  State state_ = State::SynReceived;

  // -- what we send; positions are from una_, so that no sequence number is ever compared
  std::uint32_t una_;              // SND.UNA
  std::vector<std::byte> buffer_;  // from una_
  std::size_t next_ = 0;           // SND.NXT, which goes back for a try
  std::size_t sent_ = 0;           // the highest that next_ has been
  std::size_t window_;
  bool fin_queued_ = false;
  bool fin_acknowledged_ = false;

  // -- what we receive
  std::uint32_t expected_;  // RCV.NXT
  bool peer_closed_ = false;
  bool acknowledgment_due_ = false;

  // -- time
  std::optional<Time> try_at_;
  unsigned tries_ = 0;
  Time idle_at_;
  Time challenges_since_;
  unsigned challenges_ = 0;
};

}  // namespace capsa::net::neighbor
