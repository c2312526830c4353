#include <bit>
#include <net/switch/mac_table.hpp>
#include <random>

namespace capsa::net {

MacTable::Key MacTable::key(std::span<const std::byte, MacAddress::kSize> bytes) noexcept {
  Key key = 0;
  for (const std::byte byte : bytes)
    key = key << 8 | std::to_integer<Key>(byte);
  return key;
}

MacTable::Key MacTable::key(const MacAddress& address) noexcept {
  return key(std::as_bytes(std::span(address.bytes())));
}

MacTable::MacTable(std::size_t ports)
    : entries_(std::bit_ceil(2 * (kMaxLearned + ports))),
      of_port_(ports),
      mask_(entries_.size() - 1),
      // Guests choose their addresses: they must not know which of them share a place.
      seed_((Key{std::random_device{}()} << 32 | std::random_device{}()) | 1),
      max_pinned_(ports) {
  scratch_.reserve(kMaxLearned + ports);
}

/// Where the station is, or would be.
std::size_t MacTable::place(Key station) const noexcept {
  Key hash = (station ^ seed_) * 0x9e3779b97f4a7c15U;
  hash = (hash ^ hash >> 32) * seed_;
  std::size_t at = (hash ^ hash >> 32) & mask_;
  while (entries_[at].station != station && entries_[at].station != kNobody)
    at = (at + 1) & mask_;
  return at;
}

MacTable::Learned MacTable::learn(Key station, Port port, bool hold, Time now) noexcept {
  Entry& entry = entries_[place(station)];
  const bool known = entry.station == station;
  const bool alive = known && !expired(entry, now);
  if (alive && entry.port == port) {
    entry.seen = now;
    return Learned::Known;
  }
  if (alive && (entry.pinned || entry.held)) return Learned::Held;
  if (alive && now - entry.moved < kBetweenMoves) return Learned::TooSoon;
  // Its own place counts as free where it is the one that is known already.
  const std::size_t others = of_port_[port] - (known && entry.port == port ? 1U : 0U);
  if (others >= kMaxOfPort) return Learned::NoPlace;
  if (!known && learned_ >= kMaxLearned) return Learned::NoPlace;
  if (known)
    --of_port_[entry.port];
  else
    ++learned_;
  ++of_port_[port];
  entry = {station, now, alive ? now : now - kBetweenMoves, port, hold, false};
  return Learned::New;
}

bool MacTable::pin(Key station, Port port) noexcept {
  Entry& entry = entries_[place(station)];
  if (entry.station == station) {
    if (entry.pinned) return entry.port == port;
    if (pinned_ >= max_pinned_) return false;
    --of_port_[entry.port];
    --learned_;
  } else if (pinned_ >= max_pinned_) {
    return false;
  }
  ++pinned_;
  entry = {station, {}, {}, port, true, true};
  return true;
}

std::optional<MacTable::Port> MacTable::find(Key station, Time now) const noexcept {
  const Entry& entry = entries_[place(station)];
  if (entry.station != station || expired(entry, now)) return std::nullopt;
  return entry.port;
}

void MacTable::expire(Time now) noexcept {
  keep_only([&](const Entry& entry) { return !expired(entry, now); });
}

void MacTable::forget(Port port) noexcept {
  keep_only([&](const Entry& entry) { return entry.port != port; });
}

/// Builds the table anew where something goes: chains stay whole without marks of what was there.
template <class Keep>
void MacTable::keep_only(Keep keep) noexcept {
  bool all = true;
  for (const Entry& entry : entries_)
    all = all && (entry.station == kNobody || keep(entry));
  if (all) return;
  scratch_.clear();
  for (Entry& entry : entries_) {
    if (entry.station == kNobody) continue;
    if (keep(entry)) {
      scratch_.push_back(entry);
    } else if (entry.pinned) {
      --pinned_;
    } else {
      --of_port_[entry.port];
      --learned_;
    }
    entry = {};
  }
  for (const Entry& entry : scratch_)
    entries_[place(entry.station)] = entry;
}

}  // namespace capsa::net
