#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

namespace capsa::vsock {

/// How many packets the peer has not yet forwarded to its application. The credit of virtio-vsock
/// counts bytes only, but Linux since 2026 also charges every queued packet for its buffer head and
/// resets the connection when that grows over the receive buffer; so we count packets as well.
/// All positions are the sender's byte counter, which wraps at 32 bits.
class InFlightPackets {
 public:
  /// The bound of the record: beyond it packets are merged into the newest entry, which retires
  /// them later than true, never earlier. A guest that never reports anything could grow it
  /// without end otherwise.
  static constexpr std::size_t kMaxEntries = 1024;

  /// A packet whose last byte lies right before position `end`.
  void add(std::uint32_t end) {
    ++packets_;
    if (entries_.size() == kMaxEntries) {
      entries_.back().end = end;
      ++entries_.back().packets;
    } else {
      entries_.push_back({end, 1});
    }
  }

  /// The peer forwarded `advance` bytes and is now at `position`.
  void retire(std::uint32_t position, std::uint32_t advance) {
    // Positions are compared by their distance from where the peer was, so that wrapping is no case
    // of its own.
    const std::uint32_t before = position - advance;
    while (!entries_.empty() && entries_.front().end - before <= advance) {
      packets_ -= entries_.front().packets;
      entries_.pop_front();
    }
  }

  std::uint64_t packets() const noexcept { return packets_; }

 private:
  struct Entry {
    std::uint32_t end;
    std::uint64_t packets;
  };
  std::deque<Entry> entries_;
  std::uint64_t packets_ = 0;
};

}  // namespace capsa::vsock
