#pragma once

#include <capsa/future.hpp>
#include <capsa/sandbox.hpp>
#include <capsa/vm.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <variant>

namespace capsa {

namespace detail {
class PoolImpl;
class ReservationImpl;
}  // namespace detail

/// One thing that happened to a pool.
struct PoolEvent {
  /// What happened.
  enum class Kind : std::uint8_t {
    Available,     ///< a VM has answered and can be reserved
    Reserved,      ///< somebody got it
    Destroyed,     ///< a reservation was dropped, and nothing of its VM is left
    RefillFailed,  ///< a VM did not come up; another is tried after a while
    MemberLost,    ///< a VM that nobody had reserved ended, or did not answer any more
    Shutdown,      ///< no VM is given any more
  };
  Kind kind = Kind::Available;                 ///< what happened
  std::string vm;                              ///< its name
  std::string cause;                           ///< why, where there is something to say
  std::size_t available = 0;                   ///< after the event
  std::chrono::system_clock::time_point time;  ///< by the host's clock

  friend bool operator==(const PoolEvent&, const PoolEvent&) = default;
};
/// The enumerator in snake_case, e.g. "refill_failed".
std::string to_string(PoolEvent::Kind);

/// A VM of a pool, for whoever reserved it. Movable; dropping it destroys the VM, whoever else has
/// its handle, and the pool boots another. One that was moved from has no VM.
class PooledVm {
 public:
  ///@{
  /// Assigning destroys the VM that was there.
  PooledVm(PooledVm&&) noexcept = default;
  PooledVm& operator=(PooledVm&&) noexcept = default;
  ///@}
  ~PooledVm() = default;

  ///@{
  /// Its handle, good for as long as this object has the VM; not for one that was moved from.
  const VmHandle& vm() const;
  const VmHandle* operator->() const { return &vm(); }
  const VmHandle& operator*() const { return vm(); }
  ///@}
  /// What dropping it does; done once nothing of the VM is left.
  future<void> release() &&;

  /// Made by Pool::reserve().
  explicit PooledVm(std::shared_ptr<detail::ReservationImpl> impl) : impl_(std::move(impl)) {}

 private:
  std::shared_ptr<detail::ReservationImpl> impl_;
};

/// VMs that have booted before they are needed. Copyable handle; thread-safe. Dropping the last one
/// shuts the pool down; what is reserved stays with its holders.
///
/// Where a VM does not come up, another is tried after a tenth of a second, and each time that this
/// fails again after twice as long, up to 30 s. VMs with an agent that nobody has reserved are
/// asked every 30 s whether they still answer.
class Pool {
 public:
  /// A VM that has answered: now, or in turn as one becomes available. Timeout as the builder's
  /// timeout() says, and it takes nothing then; without one it waits as long as it takes.
  /// PoolShutdown.
  future<PooledVm> reserve() const;
  /// The same with a time-out of one's own; 0 or less takes what is available now, in its turn.
  future<PooledVm> reserve_timeout(std::chrono::milliseconds timeout) const;
  /// ResourceExhausted (retryable) where none is available now, or others wait.
  result<PooledVm> try_reserve() const;
  /// VMs that could be reserved now; it may have changed when you read it.
  future<std::size_t> available_count() const;
  /// What build() was asked for.
  std::size_t size() const;
  /// Its VMs are called by it: "NAME-1", "NAME-2", …
  const std::string& name() const;
  /// Calls `on_event` on the callback thread for everything that happens from now on.
  Subscription subscribe(std::function<void(const PoolEvent&)> on_event) const;
  /// Ends every waiter with PoolShutdown and destroys what is not reserved. Done once nothing of it
  /// is left.
  future<void> shutdown() const;

  /// Made by PoolBuilder::build().
  explicit Pool(std::shared_ptr<detail::PoolImpl> impl) : impl_(std::move(impl)) {}

 private:
  friend struct detail::HandleAccess;
  std::shared_ptr<detail::PoolImpl> impl_;
};

/// What the VMs of a pool are.
using PoolMember = std::variant<LinuxDirectBootConfig, UefiBootConfig, SandboxConfig>;

/// Collects what the VMs of a pool shall be. What the guests of two VMs would write to or what only
/// one VM can have is refused: a share or disk that may be written to, a store of firmware
/// variables, a fixed socket path, host port, MAC, cluster address or subnet of the host's. Use
/// DiskImage::overlay_of(), automatic paths and host port 0. name() is the pool's, 52 bytes at
/// most.
class [[nodiscard]] PoolBuilder : public BuilderMethods<PoolBuilder> {
 public:
  /// Made by Runtime::pool() and Capsa::pool().
  PoolBuilder(std::shared_ptr<detail::RuntimeImpl> runtime, PoolMember member);

  /// For guests whose init is capsa's agent, or starts it; sandboxes have it anyway.
  PoolBuilder agent_enabled() && { return set(config_.agent, true); }

  /// Boots `size` VMs (1 to 1000) side by side; done once all of them have answered, with the first
  /// failure where one has not come up, and then nothing is left. A VM with an agent has answered
  /// when the agent has, and a sandbox when its guest has its shares and network, and its command
  /// runs where it has one; another VM when its machine runs. Each has five minutes. At most two
  /// for each CPU of the host boot at a time.
  future<Pool> build(std::size_t size) &&;

 private:
  PoolMember member_;
};

}  // namespace capsa
