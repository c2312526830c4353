#pragma once

#include <cstddef>
#include <cstdint>
#include <net/policy/hello_inspector.hpp>
#include <span>

namespace capsa::net {

/// The beginning of what the VM says in one TCP connection, put in order by sequence numbers. What
/// has been looked at once must not be said differently later: until the far side has acknowledged
/// it, it may still not have it. Pure.
class Conversation {
 public:
  enum class Step : std::uint8_t {
    Pass,    ///< fits; look at inspector().state()
    Drop,    ///< lies behind a gap: the guest sends it again, in order
    Differ,  ///< contradicts what was said before
  };

  /// `first`: the number of the first byte, one more than the SYN's. What is kept is added to
  /// `held`, which outlives it, as long as it is kept.
  Conversation(std::uint32_t first, std::size_t& held) : first_(first), held_(held) {}
  Conversation(const Conversation&) = delete;
  Conversation& operator=(const Conversation&) = delete;
  ~Conversation() { held_ -= inspector_.seen().size(); }

  Step sent(std::uint32_t sequence, std::span<const std::byte> payload);
  /// Whether everything that was looked at has arrived, and the inspector has its answer: the
  /// conversation is of no more use then.
  bool finished_by(std::uint32_t acknowledgment) const noexcept;

  const HelloInspector& inspector() const noexcept { return inspector_; }

 private:
  std::uint32_t first_;
  std::size_t& held_;
  HelloInspector inspector_;
};

}  // namespace capsa::net
