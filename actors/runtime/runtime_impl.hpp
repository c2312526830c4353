#pragma once

#include <actors/runtime/services.hpp>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace capsa::detail {

/// A runtime: the actor system (its own or a borrowed one), the services, and the register of live
/// VM actors. Whoever holds a handle of anything holds this.
///
/// CAF keeps a counted reference to the system's logger in every thread that makes or destroys a
/// system or spawns an actor, and the system's destructor waits for all of them. A program's
/// threads outlive its runtimes, and its main thread loses its thread-locals before a static
/// runtime ends; so all of that is done on a thread of the runtime's own, the owner.
class RuntimeImpl {
 public:
  explicit RuntimeImpl(RuntimeOptions options);
  RuntimeImpl(caf::actor_system& borrowed, RuntimeOptions options);
  /// Waits for the end, except on a runtime's thread (the last handle may be dropped inside a
  /// callback): then the rest is done by a thread of its own.
  ~RuntimeImpl();

  /// Null once shut down. Whoever has it holds up shutdown(): for one call, not to be kept.
  std::shared_ptr<Services> services() const;
  /// Where continuations of futures run.
  std::function<void(std::function<void()>)> post() const;

  using Spawn = std::function<caf::strong_actor_ptr()>;
  using AddVm = std::function<caf::strong_actor_ptr(std::string name, const Spawn& spawn)>;
  /// Spawns the actor of a VM and notes it until it ends. Null once shutdown has begun. Does not
  /// hold the runtime; not on the owner's thread.
  AddVm vm_adder() const;
  /// The same for an actor that makes VMs; shutdown() sends it close_atom before they are dropped.
  caf::strong_actor_ptr add_pool(std::string name, const Spawn& spawn) const;
  /// The same for an actor that hears of a VM's events and ends with the VM, behind the last one.
  caf::strong_actor_ptr add_listener(std::string name, const Spawn& spawn) const;
  std::size_t live_vms() const;
  /// The actors of those VMs.
  std::vector<caf::strong_actor_ptr> vms() const;

  /// Ordered: no new VMs; every VM is killed and waited for, and all that has to do with one; then
  /// loops and threads end, the callback thread last, when it has run all that is queued. What is
  /// left at the deadline is named in the log and given up on. Any thread but the runtime's own,
  /// except that of the callbacks, which then ends later; idempotent, a call beside another one
  /// does not wait for it.
  void shutdown();

 private:
  using Actors = std::map<caf::actor_id, std::pair<caf::actor_addr, std::string>>;
  /// What shutdown() waits for.
  struct Live {
    bool empty() const { return pools.empty() && vms.empty() && listeners.empty() && !lent; }
    std::string names() const;

    std::mutex mutex;  // guards the rest
    std::condition_variable gone;
    Actors pools;
    Actors vms;
    Actors listeners;
    bool lent = false;    // the services, to whoever has called services()
    bool closed = false;  // becomes true on the owner's thread, where actors are added
  };
  /// What outlives a RuntimeImpl that ends on one of its own threads.
  struct Parts {
    Parts(const RuntimeOptions& options, caf::actor_system* borrowed);
    void shutdown();
    void end();

    CallbackThread owner{"capsa-owner"};
    std::unique_ptr<caf::actor_system_config> config;
    std::unique_ptr<caf::actor_system> owned;
    std::shared_ptr<Live> live = std::make_shared<Live>();
    const std::shared_ptr<Callbacks> callbacks = std::make_shared<Callbacks>();
    bool abandoned = false;  // given up on, with all that it uses
    std::unique_ptr<Services> services;
    mutable std::mutex mutex;        // guards lent
    std::shared_ptr<Services> lent;  // the same ones; the last copy to go only tells `live`
  };

  static caf::strong_actor_ptr add(Parts& parts, Actors Live::*where, std::string name,
                                   const Spawn& spawn);

  std::shared_ptr<Parts> parts_;
};

}  // namespace capsa::detail
