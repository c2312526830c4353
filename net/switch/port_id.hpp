#pragma once

#include <compare>
#include <cstdint>

namespace capsa::net {

/// Names a port of one Switch. A plain value; no port that is added later ever gets the same. The
/// default one is nobody's.
class PortId {
 public:
  constexpr PortId() = default;
  friend constexpr auto operator<=>(const PortId&, const PortId&) = default;

 private:
  friend class Switch;
  constexpr PortId(std::uint16_t slot, std::uint64_t serial) : slot_(slot), serial_(serial) {}

  std::uint16_t slot_ = 0;
  std::uint64_t serial_ = 0;
};

}  // namespace capsa::net
