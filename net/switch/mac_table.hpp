#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <net/packet/mac_address.hpp>
#include <optional>
#include <span>
#include <vector>

namespace capsa::net {

/// Which station is behind which port, learned from what they send. What guests can do to it: a
/// port has few places, and takes none from others. Allocates only when it is made.
/// Single-threaded.
class MacTable {
 public:
  using Time = std::chrono::steady_clock::time_point;
  using Port = std::uint16_t;

  /// An Ethernet address as a number; the first byte is the highest.
  using Key = std::uint64_t;
  static Key key(std::span<const std::byte, MacAddress::kSize> bytes) noexcept;
  static Key key(const MacAddress& address) noexcept;

  /// Learned stations in all, and of one port: a guest has few, unless it has guests itself.
  static constexpr std::size_t kMaxLearned = 1024;
  static constexpr std::size_t kMaxOfPort = 64;
  /// As long as IEEE 802.1Q recommends (8.8.3).
  static constexpr std::chrono::seconds kAge{300};
  /// A station that is seen at two ports does not go to and fro more often than this.
  static constexpr std::chrono::seconds kBetweenMoves{1};

  enum class Learned : std::uint8_t {
    Known,
    New,      ///< or moved here from another port
    Held,     ///< it is another port's, and stays there: the sender is not who it claims to be
    TooSoon,  ///< it stays at the other port for now
    NoPlace,
  };

  /// `ports`: how many there can be; each is less.
  explicit MacTable(std::size_t ports);

  /// `station` sent something from `port`. `hold`: no other port can take it over while it is
  /// known.
  Learned learn(Key station, Port port, bool hold, Time now) noexcept;
  /// Puts it there for good, whatever was learned; false where it is another port's for good, or
  /// there are more of these than ports.
  bool pin(Key station, Port port) noexcept;
  std::optional<Port> find(Key station, Time now) const noexcept;

  /// Forgets what has not been heard of for kAge.
  void expire(Time now) noexcept;
  /// Forgets all stations of a port, also those that are there for good.
  void forget(Port port) noexcept;

  std::size_t learned() const noexcept { return learned_; }
  std::size_t learned(Port port) const noexcept { return of_port_[port]; }

 private:
  struct Entry {
    Key station = kNobody;
    Time seen{};
    Time moved{};
    Port port = 0;
    bool held = false;
    bool pinned = false;
  };
  static constexpr Key kNobody = ~Key{0};

  std::size_t place(Key station) const noexcept;
  bool expired(const Entry& entry, Time now) const noexcept {
    return !entry.pinned && now - entry.seen >= kAge;
  }
  template <class Keep>
  void keep_only(Keep keep) noexcept;

  std::vector<Entry> entries_;  // open addressing, at most half full
  std::vector<Entry> scratch_;
  std::vector<std::uint16_t> of_port_;
  std::size_t mask_;
  Key seed_;
  std::size_t max_pinned_;
  std::size_t learned_ = 0;
  std::size_t pinned_ = 0;
};

}  // namespace capsa::net
