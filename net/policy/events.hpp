#pragma once

#include <capsa/ip_address.hpp>
#include <capsa/network_policy.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <net/policy/name_pins.hpp>
#include <net/policy/verdict.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace capsa::net {

/// A flow, or the question for a name, that was denied: once a flow, not once a packet.
struct DenialEvent {
  TimePoint time;
  std::optional<std::size_t> rule;  ///< from 0; none: the default or `builtin`
  Builtin builtin = Builtin::None;
  std::string reason;            ///< see describe()
  std::uint8_t ip_protocol = 0;  ///< IANA's number
  IpAddress from;
  IpAddress to;
  std::uint16_t from_port = 0;
  std::uint16_t port = 0;
  std::string name;  ///< that was carried or asked for; else one the address counts as; else empty
};

/// A flow that a Log rule or a default of Log recorded, allowed or not.
struct FlowLogEntry {
  TimePoint time;
  std::vector<std::size_t> rules;
  bool by_default = false;
  bool allowed = false;
  std::uint8_t ip_protocol = 0;
  IpAddress from;
  IpAddress to;
  std::uint16_t from_port = 0;
  std::uint16_t port = 0;
  std::string name;
};

/// A flow that begins, or is denied: then or later.
struct FlowBegin {
  TimePoint time;
  bool allowed = false;
  std::uint8_t ip_protocol = 0;
  IpAddress from;  ///< who began it, the VM or the other
  IpAddress to;
  std::uint16_t from_port = 0;
  std::uint16_t to_port = 0;
  std::string name;    ///< see DenialEvent
  std::string reason;  ///< see describe()
};

/// The last so many entries, and how many were lost before them; a callback sees all. The callback
/// must not call back into whoever owns the log.
template <class Entry>
class BoundedLog {
 public:
  static constexpr std::size_t kCapacity = 256;

  void on_entry(std::function<void(const Entry&)> callback) { callback_ = std::move(callback); }
  void add(Entry entry) {
    if (callback_) callback_(entry);
    if (entries_.size() == kCapacity) {
      entries_.pop_front();
      ++lost_;
    }
    entries_.push_back(std::move(entry));
  }
  /// Oldest first; they are gone then.
  std::vector<Entry> take() {
    std::vector<Entry> out(std::make_move_iterator(entries_.begin()),
                           std::make_move_iterator(entries_.end()));
    entries_.clear();
    return out;
  }
  std::size_t size() const noexcept { return entries_.size(); }
  std::uint64_t lost() const noexcept { return lost_; }

 private:
  std::deque<Entry> entries_;
  std::function<void(const Entry&)> callback_;
  std::uint64_t lost_ = 0;
};

using DenialLog = BoundedLog<DenialEvent>;
using FlowLog = BoundedLog<FlowLogEntry>;

}  // namespace capsa::net
