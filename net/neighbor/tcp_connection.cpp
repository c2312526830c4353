#include <algorithm>
#include <net/neighbor/tcp_connection.hpp>
#include <net/packet/wire.hpp>

namespace capsa::net::neighbor {
namespace {

using namespace std::chrono_literals;

// Where the peer does not say any (RFC 9293, 3.7.1).
constexpr std::uint16_t kDefaultMssV4 = 536;
constexpr std::uint16_t kDefaultMssV6 = 1220;

// How far an acknowledgment may lie behind: the largest window there is without scaling
// (RFC 5961, 5.2).
constexpr std::uint32_t kMaxWindow = 0xffff;

constexpr bool is_behind(std::uint32_t distance) {
  return distance != 0 && distance < 0x8000'0000U;
}

std::size_t window_of(std::span<const std::byte> frame, const Packet& packet) {
  return wire::load16(frame, packet.transport + 14);
}

}  // namespace

TcpConnection::TcpConnection(const Options& options, std::span<const std::byte> frame,
                             const Packet& syn, Time now, const Output& out)
    : path_(options.path),
      our_mss_(std::max(kLeastMss, tcp_payload_of(options.mtu, !path_.ip.from.is_v4()))),
      mss_(std::clamp(
          mss_option(frame, syn).value_or(path_.ip.from.is_v4() ? kDefaultMssV4 : kDefaultMssV6),
          kLeastMss, our_mss_)),
      una_(options.isn),
      window_(window_of(frame, syn)),
      expected_(syn.tcp_sequence + 1),
      idle_at_(now + kIdle),
      challenges_since_(now) {
  emit_syn_ack(out);
  try_at_ = now + kFirstTry;
}

// -- from the peer

std::span<const std::byte> TcpConnection::on_segment(std::span<const std::byte> frame,
                                                     const Packet& packet, Time now,
                                                     const Output& out) {
  if (is_closed() || !on_control(packet, now, out)) return {};
  auto payload = packet.payload_of(frame);
  bool fin = (packet.tcp_flags & tcp_flag::kFin) != 0;
  const std::uint32_t ahead = packet.tcp_sequence - expected_;
  const std::uint32_t behind = expected_ - packet.tcp_sequence;
  const bool early = is_behind(behind);
  // All of it has been here, or it is out of the window: the peer is told where we are.
  if (early ? payload.size() + (fin ? 1 : 0) <= behind : ahead >= kWindow) {
    challenge(now, out);
    return {};
  }
  if (!on_acknowledgment(packet, window_of(frame, packet), now, out)) return {};
  finish_if_done();
  if (is_closed()) return {};
  if (early) payload = payload.subspan(behind);
  if (payload.empty() && !fin) {
    // A bare acknowledgment; one from ahead tells of a segment that got lost.
    if (ahead != 0 && !early) challenge(now, out);
    return {};
  }
  if ((ahead != 0 && !early) || peer_closed_) {
    challenge(now, out);
    return {};
  }
  if (payload.size() > kWindow) {
    payload = payload.first(kWindow);
    fin = false;
  }
  acknowledgment_due_ = true;
  expected_ += static_cast<std::uint32_t>(payload.size());
  if (fin) {
    ++expected_;
    peer_closed_ = true;
  }
  return payload;
}

/// False where the segment ends here.
bool TcpConnection::on_control(const Packet& packet, Time now, const Output& out) {
  if ((packet.tcp_flags & tcp_flag::kRst) != 0) {
    // Blind ones would have to hit the very number (RFC 5961, 3.2).
    if (packet.tcp_sequence == expected_) {
      state_ = State::Closed;
    } else if (packet.tcp_sequence - expected_ < kWindow) {
      challenge(now, out);
    }
    return false;
  }
  if ((packet.tcp_flags & tcp_flag::kSyn) != 0) {
    // The same again where our answer got lost. Another one may be of a guest that has forgotten:
    // it answers the challenge with a RST that fits, and tries once more (RFC 5961, 4.2).
    if (state_ == State::SynReceived && packet.is_syn() && packet.tcp_sequence + 1 == expected_) {
      if (may_challenge(now)) emit_syn_ack(out);
    } else {
      challenge(now, out);
    }
    return false;
  }
  return (packet.tcp_flags & tcp_flag::kAck) != 0;
}

/// False where the segment ends here.
bool TcpConnection::on_acknowledgment(const Packet& packet, std::size_t window, Time now,
                                      const Output& out) {
  const std::uint32_t count = packet.tcp_acknowledgment - una_;
  if (state_ == State::SynReceived) {
    if (count != 1) {
      emit(tcp_flag::kRst, packet.tcp_acknowledgment, {}, out);  // RFC 9293, 3.10.7.4
      return false;
    }
    state_ = State::Established;
    ++una_;
    tries_ = 0;
    try_at_.reset();
    touch(now);
    window_ = window;
    return true;
  }
  if (count > sent_) {
    if (una_ - packet.tcp_acknowledgment <= kMaxWindow) return true;
    challenge(now, out);
    return false;
  }
  if (count != 0) acknowledged(count, now);
  // What went into a closed window was a question, and has not been kept.
  if (window_ == 0 && window != 0) next_ = 0;
  window_ = window;
  return true;
}

void TcpConnection::acknowledged(std::size_t count, Time now) {
  const std::size_t bytes = std::min(count, buffer_.size());
  if (count > bytes) fin_acknowledged_ = true;
  buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(bytes));
  una_ += static_cast<std::uint32_t>(count);
  next_ -= std::min(next_, count);
  sent_ -= count;
  tries_ = 0;
  try_at_.reset();
  if (owes()) try_at_ = now + kFirstTry;
  if (left() == 0) touch(now);
}

/// What has left may be acknowledged by a peer that has not the last acknowledgment of ours: its
/// FIN again finds nothing here, and is answered with a RST, which ends it as well. So there is no
/// TIME-WAIT.
void TcpConnection::finish_if_done() noexcept {
  if (fin_acknowledged_ && peer_closed_ && !acknowledgment_due_) state_ = State::Closed;
}

// -- to the peer

bool TcpConnection::send(std::span<const std::byte> bytes, Time now) {
  if (is_closing() || bytes.size() > kMaxBuffer - buffer_.size()) return false;
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  touch(now);
  return true;
}

void TcpConnection::close(Time now) {
  if (is_closing()) return;
  fin_queued_ = true;
  touch(now);
}

void TcpConnection::flush(Time now, const Output& out) {
  if (state_ != State::Established) return;
  transmit(false, out);
  if (acknowledgment_due_) emit(tcp_flag::kAck, una_ + static_cast<std::uint32_t>(sent_), {}, out);
  // Of a closed window too: its first byte asks whether it is open again.
  if (owes() && !try_at_) try_at_ = now + kFirstTry;
  finish_if_done();
}

/// From next_ on as much as the peer has room for. A `probe` is one segment, of at least a byte,
/// whether there is room or not.
void TcpConnection::transmit(bool probe, const Output& out) {
  const std::size_t limit = std::min(window_, kMaxInFlight * mss_);
  while (next_ < left()) {
    const std::size_t bytes = buffer_.size() - std::min(buffer_.size(), next_);
    std::size_t room = limit - std::min(limit, next_);
    if (probe) room = std::max<std::size_t>(room, 1);
    const std::size_t size = std::min({bytes, room, std::size_t{mss_}});
    // No crumbs as long as an acknowledgment is to come (RFC 9293, 3.8.6.2.1).
    if (size < bytes && size < mss_ && next_ != 0) return;
    const bool last = next_ + size >= buffer_.size();
    const bool fin = last && fin_queued_;
    if (size == 0 && !fin) return;
    std::uint8_t flags = tcp_flag::kAck;
    if (last && size != 0) flags |= tcp_flag::kPsh;
    if (fin) flags |= tcp_flag::kFin;
    emit(flags, una_ + static_cast<std::uint32_t>(next_),
         std::span<const std::byte>(buffer_).subspan(std::min(next_, buffer_.size()), size), out);
    next_ += size + (fin ? 1 : 0);
    sent_ = std::max(sent_, next_);
    if (probe) return;
  }
}

void TcpConnection::abort(const Output& out) {
  if (is_closed()) return;
  const std::uint32_t syn = state_ == State::SynReceived ? 1 : 0;
  emit(tcp_flag::kRst | tcp_flag::kAck, una_ + syn + static_cast<std::uint32_t>(sent_), {}, out);
  state_ = State::Closed;
}

bool TcpConnection::may_challenge(Time now) noexcept {
  if (now - challenges_since_ >= 1s) {
    challenges_since_ = now;
    challenges_ = 0;
  }
  if (challenges_ == kMaxChallenges) return false;
  ++challenges_;
  return true;
}

/// Tells the peer where we are; whoever is none of it learns nothing by that.
void TcpConnection::challenge(Time now, const Output& out) {
  if (!may_challenge(now)) return;
  const std::uint32_t syn = state_ == State::SynReceived ? 1 : 0;
  emit(tcp_flag::kAck, una_ + syn + static_cast<std::uint32_t>(sent_), {}, out);
}

void TcpConnection::emit(std::uint8_t flags, std::uint32_t sequence,
                         std::span<const std::byte> payload, const Output& out) {
  TcpFields tcp{path_.from_port, path_.to_port, sequence, 0, flags, kWindow};
  if ((flags & tcp_flag::kAck) != 0) {
    tcp.acknowledgment = expected_;
    acknowledgment_due_ = false;
  }
  out(build_tcp(path_.ethernet, path_.ip, tcp, payload));
}

void TcpConnection::emit_syn_ack(const Output& out) {
  out(build_syn_ack(path_, una_, expected_, kWindow, our_mss_));
}

// -- time

TcpConnection::Time TcpConnection::next_deadline() const {
  // Of a closed one that is still held: it can go at once.
  if (is_closed()) return challenges_since_;
  if (!try_at_) return idle_at_;
  return state_ == State::SynReceived ? *try_at_ : std::min(*try_at_, idle_at_);
}

void TcpConnection::on_deadline(Time now, const Output& out) {
  if (is_closed()) return;
  if (state_ == State::Established && idle_at_ <= now) {
    if (fin_queued_) return abort(out);
    close(now);
    flush(now, out);
  }
  if (try_at_ && *try_at_ <= now) resend(now, out);
}

void TcpConnection::resend(Time now, const Output& out) {
  if (tries_ == kTries) return abort(out);
  ++tries_;
  try_at_ = now + kFirstTry * (1U << tries_);
  if (state_ == State::SynReceived) return emit_syn_ack(out);
  next_ = 0;
  transmit(true, out);
}

}  // namespace capsa::net::neighbor
