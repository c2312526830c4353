#pragma once

#include <actors/pool/core/pool_core.hpp>
#include <actors/protocol/internal.hpp>
#include <actors/runtime/services.hpp>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace capsa::pool {

/// Makes one member, Created, by this name. Blocks; called on a file thread.
using MakeMember = std::function<result<protocol::PoolMember>(std::string name)>;

struct PoolPlan {
  PoolOptions options;
  MakeMember make;
};

/// Boots, watches and replaces the VMs that a PoolCore wants. It holds those that nobody has
/// reserved; a reserved one is its holder's, and is seen from here only when nothing of it is left.
class PoolState {
 public:
  static inline const char* name = "capsa.pool";
  using Self = protocol::PoolUnit::base*;

  /// The services outlive the actor: the runtime, with which it is noted, waits for its end.
  PoolState(Self self, Services& services, PoolPlan plan);

  protocol::PoolUnit::behavior_type make_behavior();
  void on_exit();

 private:
  struct Member {
    protocol::VmUnit vm;          ///< null until it is made
    actors::ReservedVm reserved;  ///< until it is given away or destroyed
    bool unwanted = false;        ///< destroy it as soon as it is made
  };

  // -- what the core wants
  void carry_out();
  void boot(MemberId id);
  void check(MemberId id);
  void destroy(MemberId id);
  void give(WaiterId waiter, MemberId id);
  void refuse(WaiterId waiter, const error& why);
  void tell(const Tell& event);
  void on_built(const Built& built);
  void on_closed();

  // -- what happens
  void on_made(MemberId id, const result<protocol::PoolMember>& made);
  void on_started(MemberId id);
  void on_ready(MemberId id);
  void on_down(const caf::down_msg& down);
  void failed(MemberId id, const error& why);
  void on_poke(std::uint64_t timer);

  caf::result<actors::ReservedVm> reserve(std::optional<caf::timespan> timeout);
  caf::result<void> shutdown();
  void close(const error& why);
  void arm();
  std::string name_of(MemberId id) const;
  TimePoint now() const { return self_->clock().now(); }
  const protocol::VmUnit* vm_of(MemberId id) const;

  Self self_;
  Services& services_;
  const PoolPlan plan_;
  PoolCore core_;
  std::map<MemberId, Member> members_;
  std::map<WaiterId, caf::response_promise> waiters_;
  WaiterId next_waiter_ = 1;
  std::optional<Built> built_;
  std::vector<caf::response_promise> waiting_built_;
  std::vector<caf::response_promise> waiting_closed_;
  std::set<caf::actor> subscribers_;
  bool closed_ = false;
  bool dropped_ = false;  // by its handles, or by its runtime
  std::uint64_t timer_ = 0;
  std::optional<TimePoint> armed_;
  // Itself, until it has ended: CAF ends an actor that nobody refers to, and a pool whose last
  // handle is gone has members to wait for.
  caf::strong_actor_ptr keep_;
};

}  // namespace capsa::pool
