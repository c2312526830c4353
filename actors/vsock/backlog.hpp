#pragma once

#include <actors/vsock/pieces.hpp>
#include <algorithm>
#include <cstdint>
#include <deque>

namespace capsa::vsock_units {

/// Connections of the guest to one port that nobody on the host has taken yet, oldest first, and
/// what they sent. Those that the guest has closed stay, as their data is still there to be taken;
/// nothing else counts them, so a guest that opens and closes must meet a bound here.
class Backlog {
 public:
  /// As listen(2) bounds its own: Linux' SOMAXCONN was 128 for long, and a guest's burst is larger
  /// than a client's.
  static constexpr std::size_t kMaxConnections = 256;
  /// What all may have sent. Each alone may send its receive buffer, 256 KiB.
  static constexpr std::size_t kMaxBytes = std::size_t{16} << 20;

  struct Connection {
    std::uint64_t id = 0;
    std::uint64_t credit = 0;
    Pieces queue;
    bool guest_done = false;
    bool guest_deaf = false;
    bool closed = false;
  };

  bool empty() const noexcept { return connections_.empty(); }
  std::size_t size() const noexcept { return connections_.size(); }
  std::size_t bytes() const noexcept { return bytes_; }

  /// Null where there is none. Good until the next call that changes the backlog.
  Connection* find(std::uint64_t id) noexcept {
    const auto it = at(id);
    return it == connections_.end() ? nullptr : &*it;
  }

  /// False where there is no room: the connection is not kept and has to be reset.
  bool add(std::uint64_t id, std::uint64_t credit) {
    if (connections_.size() >= kMaxConnections && !drop_oldest_closed()) return false;
    connections_.push_back({id, credit, {}, false, false, false});
    return true;
  }

  /// Bytes of a connection that is here. False where there is no room: the connection is gone with
  /// all it sent, and has to be reset.
  bool append(std::uint64_t id, std::string bytes) {
    while (bytes_ + bytes.size() > kMaxBytes && drop_oldest_closed()) {
      // nop
    }
    const auto it = at(id);
    if (it == connections_.end()) return false;
    if (bytes_ + bytes.size() > kMaxBytes) {
      remove(it);
      return false;
    }
    bytes_ += bytes.size();
    it->queue.append(std::move(bytes));
    return true;
  }

  /// The oldest. Only where there is one.
  Connection take() {
    Connection oldest = std::move(connections_.front());
    connections_.pop_front();
    bytes_ -= oldest.queue.bytes();
    return oldest;
  }

 private:
  using Iterator = std::deque<Connection>::iterator;

  Iterator at(std::uint64_t id) noexcept {
    return std::find_if(connections_.begin(), connections_.end(),
                        [id](const Connection& one) { return one.id == id; });
  }

  void remove(Iterator it) {
    bytes_ -= it->queue.bytes();
    connections_.erase(it);
  }

  bool drop_oldest_closed() {
    const auto it = std::find_if(connections_.begin(), connections_.end(),
                                 [](const Connection& one) { return one.closed; });
    if (it == connections_.end()) return false;
    remove(it);
    return true;
  }

  std::deque<Connection> connections_;
  std::size_t bytes_ = 0;
};

}  // namespace capsa::vsock_units
