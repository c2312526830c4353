#include <algorithm>
#include <net/dhcp/leases.hpp>
#include <utility>

namespace capsa::net::dhcp {

Leases::Leases(IpAddress first, IpAddress last, IpAddress except)
    : first_(first), last_(last), except_(except) {}

bool Leases::in_range(const IpAddress& address) const noexcept {
  return address.is_v4() && address >= first_ && address <= last_ && address != except_;
}

bool Leases::is_free(const IpAddress& address, Time now) const {
  const auto aside = declined_.find(address);
  return !owners_.contains(address) && (aside == declined_.end() || aside->second.until <= now);
}

void Leases::add(const MacAddress& mac, const IpAddress& address, Time until) {
  leases_[mac] = {address, until, false};
  owners_[address] = mac;
  declined_.erase(address);
}

void Leases::remove(const MacAddress& mac) {
  const auto found = leases_.find(mac);
  if (found == leases_.end()) return;
  owners_.erase(found->second.address);
  leases_.erase(found);
}

result<void> Leases::reserve(const MacAddress& mac, const IpAddress& address) {
  const auto owner = owners_.find(address);
  if (!address.is_v4() || address == except_)
    return error(ErrorCode::InvalidConfig, address.to_string() + " is not an address for a guest");
  if (owner != owners_.end() && owner->second != mac)
    return error(ErrorCode::InvalidConfig,
                 address.to_string() + " belongs to " + owner->second.to_string(),
                 "reserve addresses before guests start, or outside of the range");
  remove(mac);
  add(mac, address, {});
  leases_[mac].reserved = true;
  return {};
}

void Leases::unreserve(const MacAddress& mac) {
  const auto found = leases_.find(mac);
  if (found != leases_.end() && found->second.reserved) remove(mac);
}

std::optional<IpAddress> Leases::allocate(const MacAddress& mac,
                                          const std::optional<IpAddress>& wanted, Time now,
                                          Time until) {
  const auto known = leases_.find(mac);
  if (known != leases_.end()) {
    known->second.end = std::max(known->second.end, until);
    return known->second.address;
  }
  std::optional<IpAddress> address;
  if (wanted && in_range(*wanted) && is_free(*wanted, now)) address = wanted;
  if (!address) address = first_free(now);
  if (!address) address = reclaim(now);
  if (address) add(mac, *address, until);
  return address;
}

bool Leases::claim(const MacAddress& mac, const IpAddress& address, Time now, Time until) {
  const auto known = leases_.find(mac);
  if (known != leases_.end()) {
    if (known->second.address != address) return false;
    known->second.end = until;
    return true;
  }
  if (!in_range(address) || !is_free(address, now)) return false;
  add(mac, address, until);
  return true;
}

void Leases::end(const MacAddress& mac, const IpAddress& address, Time now) {
  const auto known = leases_.find(mac);
  if (known != leases_.end() && known->second.address == address) known->second.end = now;
}

void Leases::decline(const MacAddress& mac, const IpAddress& address, Time now, Time until) {
  const auto known = leases_.find(mac);
  if (known == leases_.end() || known->second.address != address) return;
  std::erase_if(declined_, [&](const auto& entry) { return entry.second.until <= now; });
  const auto mine = std::count_if(declined_.begin(), declined_.end(),
                                  [&](const auto& entry) { return entry.second.by == mac; });
  if (known->second.reserved || static_cast<std::size_t>(mine) >= kMaxDeclines) {
    known->second.end = now;
    return;
  }
  remove(mac);
  declined_[address] = {mac, until};
}

std::optional<IpAddress> Leases::first_free(Time now) const {
  for (std::uint32_t value = first_.to_v4(); value <= last_.to_v4(); ++value) {
    const IpAddress address = IpAddress::v4(value);
    if (in_range(address) && is_free(address, now)) return address;
    if (value == 0xffff'ffff) break;
  }
  return std::nullopt;
}

std::optional<IpAddress> Leases::reclaim(Time now) {
  auto oldest = leases_.end();
  for (auto it = leases_.begin(); it != leases_.end(); ++it) {
    const Lease& lease = it->second;
    if (lease.reserved || lease.end > now || !in_range(lease.address)) continue;
    if (oldest == leases_.end() || lease.end < oldest->second.end) oldest = it;
  }
  if (oldest == leases_.end()) return std::nullopt;
  const IpAddress address = oldest->second.address;
  remove(MacAddress(oldest->first));
  return address;
}

std::optional<IpAddress> Leases::address_of(const MacAddress& mac) const {
  const auto known = leases_.find(mac);
  if (known == leases_.end()) return std::nullopt;
  return known->second.address;
}

std::size_t Leases::live(Time now) const {
  return static_cast<std::size_t>(std::count_if(
      leases_.begin(), leases_.end(), [&](const auto& entry) { return entry.second.end > now; }));
}

}  // namespace capsa::net::dhcp
