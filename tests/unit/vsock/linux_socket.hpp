#pragma once

#include <deque>
#include <tests/unit/vsock/fake_guest.hpp>

namespace capsa::vsock::test {

/// How a Linux guest's socket behaves, by age (net/vmw_vsock/virtio_transport_common.c).
struct LinuxTraits {
  std::uint32_t buffer = 256 * 1024;
  bool reports_drain = true;    ///< since 2024: an update whenever a reader emptied the socket
  bool own_buffer_caps = true;  ///< since 2026: sends no more ahead than its own buffer holds
  /// 6.12.92: buffer heads of 576 bytes count against the buffer together with the bytes.
  bool charges_packets = true;
  bool answers_requests = true;  ///< since 5.15
};

/// A guest's connected stream socket: its credit rules, and nothing merged on receiving, which is
/// the worst case for a limit on packets.
class LinuxSocket {
 public:
  LinuxSocket(FakeGuest& guest, ConnectionKey key, LinuxTraits traits)
      : guest_(guest), key_(key), traits_(traits) {}

  void connect() { send(Op::Request); }
  bool connected() const { return connected_; }
  bool reset() const { return reset_; }

  void receive(const Packet& packet) {
    peer_buffer_ = packet.header.buf_alloc;
    peer_forwarded_ = packet.header.fwd_cnt;
    switch (packet.header.op) {
      case Op::Response:
        connected_ = true;
        break;
      case Op::ReadWrite: {
        const std::uint64_t overhead = traits_.charges_packets ? (queue_.size() + 1) * 576 : 0;
        if (overhead + used_ + packet.payload.size() > traits_.buffer) {
          reset_ = true;
          send(Op::Reset);
          break;
        }
        used_ += static_cast<std::uint32_t>(packet.payload.size());
        queue_.push_back(packet.payload);
        break;
      }
      case Op::CreditRequest:
        if (traits_.answers_requests) send(Op::CreditUpdate);
        break;
      case Op::Reset:
        reset_ = true;
        break;
      default:
        break;
    }
  }

  /// Whole packets, until `most` bytes are reached or nothing is left.
  Bytes read(std::size_t most) {
    Bytes bytes;
    while (bytes.size() < most && !queue_.empty()) {
      bytes.insert(bytes.end(), queue_.front().begin(), queue_.front().end());
      used_ -= static_cast<std::uint32_t>(queue_.front().size());
      forwarded_ += static_cast<std::uint32_t>(queue_.front().size());
      queue_.pop_front();
    }
    const std::uint32_t unreported = forwarded_ - reported_;
    const std::int64_t free = std::int64_t{traits_.buffer} - unreported;
    if (unreported != 0 && (free < 64 * 1024 || (traits_.reports_drain && used_ == 0)))
      send(Op::CreditUpdate);
    return bytes;
  }

  /// As much as the credit allows, in packets of up to 64 KiB.
  std::size_t write(std::span<const std::byte> bytes) {
    std::size_t written = 0;
    while (written < bytes.size() && !reset_) {
      const std::uint32_t in_flight = sent_ - peer_forwarded_;
      const std::uint32_t window =
          traits_.own_buffer_caps ? std::min(peer_buffer_, traits_.buffer) : peer_buffer_;
      if (in_flight >= window) break;
      const std::size_t count = std::min(
          {bytes.size() - written, std::size_t{window - in_flight}, std::size_t{64 * 1024}});
      sent_ += static_cast<std::uint32_t>(count);
      send(Op::ReadWrite, bytes.subspan(written, count));
      written += count;
    }
    return written;
  }

 private:
  void send(Op op, std::span<const std::byte> payload = {}) {
    Header header = FakeGuest::header(key_, op);
    header.buf_alloc = traits_.buffer;
    header.fwd_cnt = forwarded_;
    header.len = static_cast<std::uint32_t>(payload.size());
    reported_ = forwarded_;
    guest_.send(header, payload);
  }

  FakeGuest& guest_;
  ConnectionKey key_;
  LinuxTraits traits_;
  bool connected_ = false;
  bool reset_ = false;
  std::deque<Bytes> queue_;
  std::uint32_t used_ = 0;
  std::uint32_t forwarded_ = 0;
  std::uint32_t reported_ = 0;
  std::uint32_t sent_ = 0;
  std::uint32_t peer_buffer_ = 0;
  std::uint32_t peer_forwarded_ = 0;
};

}  // namespace capsa::vsock::test
