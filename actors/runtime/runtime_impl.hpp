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
class RuntimeImpl : public std::enable_shared_from_this<RuntimeImpl> {
 public:
  explicit RuntimeImpl(RuntimeOptions options);
  RuntimeImpl(caf::actor_system& borrowed, RuntimeOptions options);
  ~RuntimeImpl();

  /// Null once shut down.
  std::shared_ptr<Services> services() const;
  /// Where continuations of futures run.
  std::function<void(std::function<void()>)> post();

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

  std::unique_ptr<caf::actor_system_config> config_;
  std::unique_ptr<caf::actor_system> owned_;
  caf::actor_system* system_;
  std::shared_ptr<Live> live_;
  mutable std::mutex mutex_;  // guards services_
  std::shared_ptr<Services> services_;
};

}  // namespace capsa::detail
