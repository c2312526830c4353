#pragma once

#include <capsa/pool.hpp>
#include <cstdint>
#include <optional>
#include <string>
#include <variant>

namespace capsa::pool {

/// Counted from 1, never used twice by one pool.
using MemberId = std::uint64_t;
/// Whoever asked; chosen by the caller.
using WaiterId = std::uint64_t;

/// Make this member and boot it: booted() or failed() tells how that went.
struct Boot {
  MemberId member;
  friend bool operator==(const Boot&, const Boot&) = default;
};
/// Ask whether it still answers: checked() or failed().
struct Check {
  MemberId member;
  friend bool operator==(const Check&, const Check&) = default;
};
/// End it, wherever it is: gone() when nothing is left of it.
struct Destroy {
  MemberId member;
  friend bool operator==(const Destroy&, const Destroy&) = default;
};
/// gone() when the holder is done with it.
struct Give {
  WaiterId waiter;
  MemberId member;
  friend bool operator==(const Give&, const Give&) = default;
};
struct Refuse {
  WaiterId waiter;
  error why;
  friend bool operator==(const Refuse&, const Refuse&) = default;
};
struct Tell {
  PoolEvent::Kind kind;
  MemberId member;  ///< 0: none
  std::string cause;
  std::size_t available;
  friend bool operator==(const Tell&, const Tell&) = default;
};
/// Said once: all members are there, or why they are not, and nothing is left of them.
struct Built {
  std::optional<error> failure;
  friend bool operator==(const Built&, const Built&) = default;
};
/// Said once after close(): nothing is left but what is reserved.
struct Closed {
  friend bool operator==(const Closed&, const Closed&) = default;
};

using Action = std::variant<Boot, Check, Destroy, Give, Refuse, Tell, Built, Closed>;

}  // namespace capsa::pool
