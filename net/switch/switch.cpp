#include <algorithm>
#include <net/switch/switch.hpp>

namespace capsa::net {
namespace {

using Key = MacTable::Key;

constexpr Key kGroupBit = Key{1} << 40;  // IEEE 802-2014, 8.2.2
/// 01-80-c2-00-00-00 to -0f: between bridges, and never through them (IEEE 802.1Q, 8.6.3).
constexpr Key kReserved = 0x0180c2000000;

/// What is older than MacTable::kAge is not found anyway: this is how long it takes a place.
constexpr std::chrono::seconds kExpireEvery{1};

}  // namespace

Switch::Switch(SwitchOptions options)
    : options_(options), pool_(FramePool::create(options.copy_bytes)), macs_(kMaxPorts) {
  slots_.reserve(kMaxPorts);
  active_.reserve(kMaxPorts);
  dirty_.reserve(kMaxPorts);
}

Switch::~Switch() = default;

// -- ports

result<PortId> Switch::add_port(Egress& egress, PortOptions options) {
  if (active_.size() == kMaxPorts)
    return error(ErrorCode::ResourceExhausted,
                 "a network has at most " + std::to_string(kMaxPorts) + " ports");
  auto free = std::find(slots_.begin(), slots_.end(), nullptr);
  if (free == slots_.end()) free = slots_.emplace(free);
  const auto slot = static_cast<Slot>(free - slots_.begin());
  if (options.locked_mac) {
    const MacAddress& mac = *options.locked_mac;
    if (mac.is_multicast() || mac.is_zero())
      return error(ErrorCode::InvalidConfig,
                   "mac: " + mac.to_string() + " is no station's address");
    if (!macs_.pin(MacTable::key(mac), slot))
      return error(ErrorCode::InvalidConfig,
                   "mac: " + mac.to_string() + " is in use in this network already");
  }
  const PortId id(slot, next_serial_++);
  *free = std::make_unique<Port>(egress, options, *pool_, id);
  active_.push_back(slot);
  return id;
}

void Switch::remove_port(PortId id) {
  if (find(id) == nullptr) return;
  macs_.forget(id.slot_);
  std::erase(active_, id.slot_);
  slots_[id.slot_].reset();
}

Switch::Port* Switch::find(PortId id) const noexcept {
  if (id.slot_ >= slots_.size()) return nullptr;
  Port* port = slots_[id.slot_].get();
  return port != nullptr && port->id == id ? port : nullptr;
}

void Switch::set_link(PortId id, bool up) {
  if (Port* port = find(id)) port->options.link_up = up;
}

void Switch::set_filter(PortId id, Filter* filter) {
  if (Port* port = find(id)) port->options.filter = filter;
}

void Switch::set_observer(PortId id, FrameObserver* observer) {
  if (Port* port = find(id)) port->options.observer = observer;
}

std::optional<PortStats> Switch::stats(PortId id) const {
  const Port* port = find(id);
  return port != nullptr ? std::optional(port->stats) : std::nullopt;
}

std::optional<bool> Switch::link_up(PortId id) const {
  const Port* port = find(id);
  return port != nullptr ? std::optional(port->options.link_up) : std::nullopt;
}

std::optional<PortId> Switch::port_of(const MacAddress& station, Time now) const {
  const auto slot = macs_.find(MacTable::key(station), now);
  return slot ? std::optional(slots_[*slot]->id) : std::nullopt;
}

// -- frames

void Switch::forward(PortId from, FrameBatch batch, Time now) {
  Port* in = find(from);
  if (in == nullptr) {
    strays_ += batch.size();
    return;
  }
  if (!expired_at_ || now - *expired_at_ >= kExpireEvery) {
    macs_.expire(now);
    expired_at_ = now;
  }
  Memory memory;
  for (Frame& frame : batch)
    if (frame) forward(*in, frame, memory, now);
  flush();
}

void Switch::forward(Port& in, Frame& frame, Memory& memory, Time now) {
  ++in.stats.frames_in;
  in.stats.bytes_in += frame.size();
  if (!in.options.link_up) return in.drop(FrameDrop::LinkDown);
  if (in.options.observer != nullptr)
    in.options.observer->observe(FrameDirection::Sent, frame, now);

  if (!learn(in, MacTable::key(std::as_const(frame).bytes().subspan<6, 6>()), memory, now)) return;
  if (in.options.filter != nullptr) {
    const FilterVerdict verdict = in.options.filter->on_ingress(frame, now);
    if (verdict != FilterVerdict::Pass) {
      in.drop(FrameDrop::Filtered);
      if (verdict != FilterVerdict::Answer || !frame) return;
      ++in.stats.answers;
      return hand_over(in, std::move(frame), now);
    }
    if (!frame) return in.drop(FrameDrop::Filtered);
  }

  const Key destination = MacTable::key(std::as_const(frame).bytes().first<6>());
  if ((destination & kGroupBit) != 0) {
    if ((destination & ~Key{0x0f}) == kReserved) return in.drop(FrameDrop::Reserved);
    return flood(in, std::move(frame), false, now);
  }
  if (memory.destination != destination) {
    memory.destination = destination;
    memory.port = macs_.find(destination, now);
  }
  if (!memory.port)
    return flood(in, std::move(frame),
                 options_.unknown_unicast == SwitchOptions::UnknownUnicast::Uplinks, now);
  Port& out = *slots_[*memory.port];
  if (&out == &in) return in.drop(FrameDrop::OwnStation);
  if (!may_reach(in, out)) return in.drop(FrameDrop::Isolated);
  deliver(in, out, std::move(frame), now);
}

/// False where the frame was dropped: it is nobody's, or in another's name.
bool Switch::learn(Port& in, Key source, Memory& memory, Time now) {
  if (in.locked) {
    if (source == *in.locked) return true;
    in.drop(FrameDrop::Spoofed);
    return false;
  }
  if (memory.source == source) return true;
  if ((source & kGroupBit) != 0 || source == 0) {
    in.drop(FrameDrop::BadSource);
    return false;
  }
  switch (macs_.learn(source, in.id.slot_, in.options.uplink, now)) {
    case MacTable::Learned::Known:
      break;
    case MacTable::Learned::New:
      memory.destination.reset();
      break;
    case MacTable::Learned::Held:
      in.drop(FrameDrop::Spoofed);
      return false;
    case MacTable::Learned::TooSoon:
      ++in.stats.moves_not_learned;
      return true;
    case MacTable::Learned::NoPlace:
      ++in.stats.macs_not_learned;
      return true;
  }
  memory.source = source;
  return true;
}

bool Switch::may_reach(const Port& in, const Port& out) noexcept {
  return in.options.uplink || out.options.uplink || (!in.options.isolated && !out.options.isolated);
}

void Switch::flood(Port& in, Frame frame, bool uplinks_only, Time now) {
  // What goes to the gateway alone is no flood, though it may be much.
  if (!uplinks_only && !in.bucket.take(now)) return in.drop(FrameDrop::Flooding);
  // The last one gets the frame itself.
  Port* last = nullptr;
  for (const Slot slot : active_) {
    Port& out = *slots_[slot];
    if (&out == &in || !may_reach(in, out) || (uplinks_only && !out.options.uplink)) continue;
    if (last != nullptr) {
      if (Frame copy = pool_->copy(frame))
        deliver(in, *last, std::move(copy), now);
      else
        last->drop(FrameDrop::NoMemory);
    }
    last = &out;
  }
  if (last == nullptr) return in.drop(FrameDrop::NoDestination);
  deliver(in, *last, std::move(frame), now);
}

void Switch::deliver(Port& in, Port& out, Frame frame, Time now) {
  if (!out.options.link_up) return out.drop(FrameDrop::LinkDown);
  if (out.options.filter != nullptr) {
    const FilterVerdict verdict = out.options.filter->on_egress(frame, now);
    if (verdict != FilterVerdict::Pass) {
      out.drop(FrameDrop::Filtered);
      if (verdict != FilterVerdict::Answer || !frame) return;
      ++in.stats.answers;
      return hand_over(in, std::move(frame), now);
    }
    if (!frame) return out.drop(FrameDrop::Filtered);
  }
  hand_over(out, std::move(frame), now);
}

void Switch::hand_over(Port& out, Frame frame, Time now) {
  if (out.options.observer != nullptr)
    out.options.observer->observe(FrameDirection::Received, frame, now);
  if (!out.dirty) {
    out.dirty = true;
    dirty_.push_back(out.id.slot_);
  }
  out.output.push(std::move(frame));
}

void Switch::flush() {
  for (const Slot slot : dirty_) {
    slots_[slot]->dirty = false;
    slots_[slot]->output.flush();
  }
  dirty_.clear();
}

}  // namespace capsa::net
