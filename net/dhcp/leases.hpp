#pragma once

#include <capsa/ip_address.hpp>
#include <capsa/result.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <net/packet/mac_address.hpp>
#include <optional>

namespace capsa::net::dhcp {

/// Who has which address of a range. A guest is its MAC, which the switch does not let it forge,
/// and keeps its address for good: one whose lease ended is given to another guest only when there
/// is none left that nobody had, and then the one that ended first. So the table never has more
/// entries than the range has addresses, besides those that are reserved. Single-threaded.
class Leases {
 public:
  using Time = std::chrono::steady_clock::time_point;

  /// How many addresses a guest can have set aside at one time; see decline().
  static constexpr std::size_t kMaxDeclines = 4;

  /// IPv4 addresses `first` to `last`, of which `except` is never given: the server's own.
  Leases(IpAddress first, IpAddress last, IpAddress except);

  /// Gives `mac` this address always, of the range or not. InvalidConfig where another guest has it
  /// or it is the server's.
  result<void> reserve(const MacAddress& mac, const IpAddress& address);
  /// The address is free again at once. Nothing where there was none.
  void unreserve(const MacAddress& mac);

  /// The address that `mac` has or had, else `wanted` where it is free, else any. It has it until
  /// `until`, or longer where it has it for longer already. Nothing where the range is exhausted.
  std::optional<IpAddress> allocate(const MacAddress& mac, const std::optional<IpAddress>& wanted,
                                    Time now, Time until);
  /// Whether `mac` could have exactly this address; if so it has it until `until`.
  bool claim(const MacAddress& mac, const IpAddress& address, Time now, Time until);
  /// Ended at once, but still remembered.
  void end(const MacAddress& mac, const IpAddress& address, Time now);
  /// `mac` found somebody else at its address: nobody gets it until `until`. A guest cannot empty
  /// the range so: beyond kMaxDeclines its addresses are only ended.
  void decline(const MacAddress& mac, const IpAddress& address, Time now, Time until);

  /// What `mac` has or had.
  std::optional<IpAddress> address_of(const MacAddress& mac) const;
  std::size_t live(Time now) const;

 private:
  struct Lease {
    IpAddress address;
    Time end{};
    bool reserved = false;
  };
  struct Declined {
    MacAddress by;
    Time until{};
  };

  bool in_range(const IpAddress& address) const noexcept;
  /// Whether nobody has or had it, and it is not set aside.
  bool is_free(const IpAddress& address, Time now) const;
  void add(const MacAddress& mac, const IpAddress& address, Time until);
  void remove(const MacAddress& mac);
  std::optional<IpAddress> first_free(Time now) const;
  std::optional<IpAddress> reclaim(Time now);

  IpAddress first_, last_, except_;
  std::map<MacAddress, Lease> leases_;
  std::map<IpAddress, MacAddress> owners_;  // of every address in leases_
  std::map<IpAddress, Declined> declined_;
};

}  // namespace capsa::net::dhcp
