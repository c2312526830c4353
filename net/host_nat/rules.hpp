#pragma once

#include <sys/types.h>

#include <capsa/ip_address.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

// What nft(8) is told. A table of our own per guest: nobody else's rules are touched, and it goes
// as a whole. It cannot overrule another table that drops what is forwarded.
namespace capsa::net::host_nat {

/// The table of one boot of one VM of one process: "capsa_PID_NUMBER".
struct TableName {
  pid_t owner = 0;
  std::uint64_t number = 0;

  std::string to_string() const;
  /// Nothing where it is none of ours.
  static std::optional<TableName> parse(std::string_view text);
};

struct Rules {
  std::string table;
  std::string interface;  ///< of the host, behind which the guest is
  IpAddress guest;        ///< IPv4
};

/// Makes the table; nft takes all of it or nothing, and refuses a name that is taken. What the
/// guest sends leaves in the host's name, and what is sent to it comes in only where it belongs to
/// that.
std::string ruleset(const Rules& rules);

/// Takes the table away, if it is there.
std::string removal(const std::string& table);

}  // namespace capsa::net::host_nat
