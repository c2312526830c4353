#pragma once

#include <actors/runtime/services.hpp>
#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace capsa::detail {

/// A runtime: the actor system (its own or a borrowed one), the services, and the register of live
/// VM actors. Whoever holds a handle of anything holds this.
///
/// CAF keeps a counted reference to the system's logger in every thread that makes or destroys a
/// system or spawns an actor, and the system's destructor waits for all of them. A program's
/// threads outlive its runtimes, and its main thread loses its thread-locals before a static
/// runtime ends; so all of that is done on a thread of the runtime's own, on_owner().
class RuntimeImpl : public std::enable_shared_from_this<RuntimeImpl> {
 public:
  explicit RuntimeImpl(RuntimeOptions options);
  RuntimeImpl(caf::actor_system& borrowed, RuntimeOptions options);
  /// Waits for the end, except on a runtime's thread (the last handle may be dropped inside a
  /// callback): then the rest is done by a thread of its own.
  ~RuntimeImpl();

  /// Null once shut down.
  std::shared_ptr<Services> services() const;
  /// Where continuations of futures run.
  std::function<void(std::function<void()>)> post();
  /// Runs `work`, which may spawn actors, and waits for it.
  void on_owner(const std::function<void()>& work) const;

  /// Notes a VM's actor until it ends. False once shutdown has begun: the caller ends the actor.
  bool add_vm(const caf::strong_actor_ptr& actor, std::string name);
  std::size_t live_vms() const;

  /// Ordered: no new VMs; every VM is killed and waited for; then the threads end. What is left at
  /// the deadline is named in the log and given up on. Any thread but the runtime's own;
  /// idempotent.
  void shutdown();

 private:
  struct Live {
    std::mutex mutex;
    std::condition_variable gone;
    std::map<caf::actor_id, std::pair<caf::actor_addr, std::string>> vms;
    bool closed = false;
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
    mutable std::mutex mutex;  // guards services
    std::shared_ptr<Services> services;
  };

  std::shared_ptr<Parts> parts_;
};

}  // namespace capsa::detail
