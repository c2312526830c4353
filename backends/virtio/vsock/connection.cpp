#include <algorithm>
#include <backends/virtio/vsock/connection.hpp>

namespace capsa::vsock {

namespace {

// What Linux charges for a packet besides its bytes: SKB_TRUESIZE(0) is 576 bytes with the usual
// configuration (struct sk_buff and struct skb_shared_info, cache-aligned), up to 768 with the
// largest CONFIG_MAX_SKB_FRAGS.
constexpr std::uint64_t kPacketOverhead = 768;

// Where packets are counted, we wait for room rather than cut data into smaller ones than this.
constexpr std::size_t kSmallPacket = 1024;

// A Linux that does not report every drain reports once all but 64 KiB of its buffer was read since
// the last report (VIRTIO_VSOCK_MAX_PKT_BUF_SIZE).
constexpr std::uint64_t kReportMargin = 64 * 1024;

// Only a guest that reports every drain sends an update for so few bytes from so large a buffer.
constexpr std::uint32_t kTellingAdvance = 1024;
constexpr std::uint32_t kTellingBuffer = 128 * 1024;

}  // namespace

Connection::Connection(ConnectionOptions options, PeerTraits& peer, const Header& request)
    : options_(options),
      peer_(peer),
      origin_(Origin::Guest),
      state_(State::Established),
      response_owed_(true),
      received_(options.first_count),
      forwarded_(options.first_count),
      reported_(options.first_count),
      sent_(options.first_count),
      peer_forwarded_(options.first_count),
      peer_buffer_(request.buf_alloc) {}

Connection::Connection(ConnectionOptions options, PeerTraits& peer)
    : options_(options),
      peer_(peer),
      origin_(Origin::Host),
      state_(State::Requesting),
      received_(options.first_count),
      forwarded_(options.first_count),
      reported_(options.first_count),
      sent_(options.first_count),
      peer_forwarded_(options.first_count) {}

// -- from the guest

Verdict Connection::receive(const Header& header) {
  if (state_ == State::Requesting) {
    if (!request_sent_) return Verdict::Violation;
    if (header.op == Op::Reset) return Verdict::Refused;
    if (header.op != Op::Response) return Verdict::Violation;
    learn_credit(header);
    state_ = State::Established;
    return Verdict::Connected;
  }
  learn_credit(header);
  switch (header.op) {
    case Op::ReadWrite:
      return receive_data(header);
    case Op::CreditUpdate:
      return Verdict::Nothing;
    case Op::CreditRequest:
      credit_reply_owed_ = true;
      return Verdict::Nothing;
    case Op::Shutdown: {
      const std::uint32_t before = peer_shutdown_;
      peer_shutdown_ |= header.flags & kShutdownBoth;
      if ((peer_shutdown_ & kShutdownReceive) != 0) queue_.clear();
      if (peer_shutdown_ == kShutdownBoth) return Verdict::PeerClosed;
      return peer_shutdown_ == before ? Verdict::Nothing : Verdict::PeerShutdown;
    }
    case Op::Reset:
      return Verdict::PeerReset;
    case Op::Invalid:
    case Op::Request:
    case Op::Response:
      break;
  }
  return Verdict::Violation;
}

Verdict Connection::receive_data(const Header& header) {
  if (response_owed_ || (peer_shutdown_ & kShutdownSend) != 0) return Verdict::Violation;
  // Judged by what we have told the guest, which is never more than what we have room for.
  if (header.len > options_.receive_buffer - (received_ - reported_)) return Verdict::Violation;
  received_ += header.len;
  if ((shutdown_wanted_ & kShutdownReceive) != 0) {
    // Sent before the guest saw our shutdown. Nobody wants it; it must not hold credit either.
    forwarded_ += header.len;
    return Verdict::Nothing;
  }
  return header.len == 0 ? Verdict::Nothing : Verdict::Deliver;
}

void Connection::learn_credit(const Header& header) {
  // More than is in flight is either a lie or an older number overtaken on its way (a guest's
  // reader and writer fill in their headers before they queue). Either way it grants nothing.
  const std::uint32_t advance = header.fwd_cnt - peer_forwarded_;
  if (advance <= in_flight_bytes()) {
    if (header.op == Op::CreditUpdate && !credit_asked_ && advance > 0 &&
        advance == in_flight_bytes() && advance <= kTellingAdvance &&
        header.buf_alloc == peer_buffer_ && peer_buffer_ >= kTellingBuffer)
      peer_.reports_drain = true;
    in_flight_.retire(header.fwd_cnt, advance);
    peer_forwarded_ = header.fwd_cnt;
  }
  peer_buffer_ = header.buf_alloc;
}

// -- from the host

std::size_t Connection::enqueue(std::span<const std::byte> bytes) {
  const std::size_t count = std::min(bytes.size(), room());
  queue_.append(bytes.first(count));
  return count;
}

void Connection::consumed(std::size_t bytes) noexcept {
  const std::uint32_t held = received_ - forwarded_;
  forwarded_ += static_cast<std::uint32_t>(std::min<std::size_t>(bytes, held));
}

// -- to the guest

std::optional<Outgoing> Connection::next(std::size_t room, std::size_t unqueued) const {
  if (state_ == State::Requesting) {
    if (request_sent_) return std::nullopt;
    return Outgoing{Op::Request};
  }
  if (response_owed_) return Outgoing{Op::Response};
  if (credit_reply_owed_) return Outgoing{Op::CreditUpdate};
  const std::size_t waiting = queue_.empty() ? unqueued : queue_.size();
  if (waiting > 0) {
    const std::size_t length = std::min(allowance(waiting), room);
    if (length > 0) return Outgoing{Op::ReadWrite, 0, length};
  }
  if (credit_update_due()) return Outgoing{Op::CreditUpdate};
  if (!queue_.empty() && !credit_asked_) return Outgoing{Op::CreditRequest};
  std::uint32_t flags = shutdown_wanted_ & ~shutdown_sent_;
  if (!queue_.empty()) flags &= ~kShutdownSend;
  if (flags != 0) return Outgoing{Op::Shutdown, flags | shutdown_sent_};
  return std::nullopt;
}

void Connection::stamp(Header& header, const Outgoing& packet) const noexcept {
  header.type = kTypeStream;
  header.op = packet.op;
  header.flags = packet.flags;
  header.len = static_cast<std::uint32_t>(packet.length);
  header.buf_alloc = options_.receive_buffer;
  header.fwd_cnt = forwarded_;
}

void Connection::sent(const Outgoing& packet) {
  reported_ = forwarded_;
  switch (packet.op) {
    case Op::Request:
      request_sent_ = true;
      break;
    case Op::Response:
      response_owed_ = false;
      break;
    case Op::CreditUpdate:
      credit_reply_owed_ = false;
      break;
    case Op::CreditRequest:
      credit_asked_ = true;
      break;
    case Op::Shutdown:
      shutdown_sent_ |= packet.flags;
      break;
    case Op::ReadWrite:
      sent_ += static_cast<std::uint32_t>(packet.length);
      in_flight_.add(sent_);
      credit_asked_ = false;
      if (!queue_.empty()) queue_.drop(packet.length);
      break;
    case Op::Invalid:
    case Op::Reset:
      break;
  }
}

bool Connection::can_send() const noexcept {
  return established() && (shutdown_wanted_ & kShutdownSend) == 0 &&
         (peer_shutdown_ & kShutdownReceive) == 0;
}

std::size_t Connection::room() const noexcept {
  if (!can_send() || queue_.size() >= options_.send_queue) return 0;
  return options_.send_queue - queue_.size();
}

std::size_t Connection::allowance(std::size_t waiting) const noexcept {
  const std::uint32_t in_flight = in_flight_bytes();
  // A guest may shrink its buffer below what is already on its way.
  const std::uint32_t credit = peer_buffer_ > in_flight ? peer_buffer_ - in_flight : 0;
  const std::size_t allowed = std::min<std::size_t>(credit, waiting);
  if (!may_hold_back()) return allowed;
  const std::uint64_t charged = in_flight + (in_flight_.packets() + 1) * kPacketOverhead;
  const std::uint64_t room = peer_buffer_ > charged ? peer_buffer_ - charged : 0;
  const std::size_t length = static_cast<std::size_t>(std::min<std::uint64_t>(room, waiting));
  // With nothing in flight nothing will be reported either: then we must go on, however little
  // fits.
  if (in_flight_.packets() == 0) return length > 0 ? length : allowed;
  return length < std::min(waiting, kSmallPacket) ? 0 : length;
}

bool Connection::may_hold_back() const noexcept {
  if (peer_.reports_drain) return true;
  // Nothing is known. But any Linux reports what was read once all but 64 KiB of its buffer was,
  // and we take it that nobody waits for more than three quarters.
  const std::uint64_t in_flight = in_flight_bytes();
  return in_flight + kReportMargin > peer_buffer_ && in_flight >= peer_buffer_ / 4 * 3ULL;
}

bool Connection::credit_update_due() const noexcept {
  // The guest stops at its own buffer where that is smaller than ours: a threshold taken from ours
  // alone would wait for bytes that never come.
  const std::uint32_t window = std::min(options_.receive_buffer, peer_buffer_);
  const std::uint32_t unreported = forwarded_ - reported_;
  return unreported > 0 && unreported >= window / 4;
}

}  // namespace capsa::vsock
