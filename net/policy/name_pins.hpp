#pragma once

#include <capsa/ip_address.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace capsa::net {

using TimePoint = std::chrono::steady_clock::time_point;

/// Which names an address counts as, for one VM: those that it asked for and was answered with that
/// address. Bounded: what a guest asks for too much costs it its own oldest pins. Pure but for the
/// time it is told.
class NamePins {
 public:
  /// An answer lives so long at least, that a guest which asked gets to connect; and so long at
  /// most, as nobody can take an answer back.
  static constexpr std::chrono::seconds kMinTtl{5};
  static constexpr std::chrono::hours kMaxTtl{1};
  static constexpr std::size_t kMaxPins = 4096;
  /// Names of one address: those of a big host of many sites, that one guest visits in an hour.
  static constexpr std::size_t kMaxNames = 32;

  /// `name` is canonical. A pin that is there already lives on until the later of both ends.
  void add(const IpAddress& address, std::string_view name, std::chrono::seconds ttl,
           TimePoint now);
  /// In no order.
  std::vector<std::string> names_of(const IpAddress& address, TimePoint now) const;
  void clear() noexcept;

  std::size_t size() const noexcept { return size_; }
  /// Pins that had to go before their time.
  std::uint64_t evicted() const noexcept { return evicted_; }

 private:
  struct Pin {
    std::string name;
    TimePoint expires;
  };

  void make_room(TimePoint now);
  void remove_until(TimePoint end);

  std::unordered_map<IpAddress, std::vector<Pin>> pins_;
  std::size_t size_ = 0;
  std::uint64_t evicted_ = 0;
};

}  // namespace capsa::net
