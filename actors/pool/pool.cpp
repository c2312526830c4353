#include <actors/pool/pool.hpp>
#include <actors/protocol/spawn.hpp>
#include <actors/values/longest_wait.hpp>

#include <algorithm>

namespace capsa::pool {

namespace {

// A ping takes a moment; a host that is that busy is better waited for than made to boot more.
constexpr std::chrono::seconds kCheckPatience{30};

template <class... Fs>
struct Overloaded : Fs... {
  using Fs::operator()...;
};
template <class... Fs>
Overloaded(Fs...) -> Overloaded<Fs...>;

error has_ended(const std::string& how) {
  return {ErrorCode::VmEnded, how};
}

}  // namespace

PoolState::PoolState(Self self, Services& services, PoolPlan plan)
    : self_(self), services_(services), plan_(std::move(plan)), core_(plan_.options) {
  keep_ = caf::actor_cast<caf::strong_actor_ptr>(self_);
  self_->set_down_handler([this](const caf::down_msg& down) { on_down(down); });
  core_.open(now());
  carry_out();
}

void PoolState::on_exit() {
  const auto why = protocol::to_caf({ErrorCode::RuntimeShutdown, "the pool's actor has ended"});
  for (auto& [id, promise] : waiters_)
    promise.deliver(why);
  waiters_.clear();
  protocol::fail_all(waiting_built_, why);
  protocol::fail_all(waiting_closed_, why);
  members_.clear();
  subscribers_.clear();
  keep_ = nullptr;
}

std::string PoolState::name_of(MemberId id) const {
  return id == 0 ? "" : plan_.options.name + "-" + std::to_string(id);
}

const protocol::VmUnit* PoolState::vm_of(MemberId id) const {
  const auto it = members_.find(id);
  return it != members_.end() && it->second.vm ? &it->second.vm : nullptr;
}

// -- what the core wants

void PoolState::carry_out() {
  for (const auto& action : core_.take_actions())
    std::visit(
        Overloaded{[this](const Boot& a) { boot(a.member); },
                   [this](const Check& a) { check(a.member); },
                   [this](const Destroy& a) { destroy(a.member); },
                   [this](const Give& a) { give(a.waiter, a.member); },
                   [this](const Refuse& a) { refuse(a.waiter, a.why); },
                   [this](const Tell& a) { tell(a); }, [this](const Built& a) { on_built(a); },
                   [this](const Closed&) { on_closed(); }},
        action);
  arm();
}

void PoolState::boot(MemberId id) {
  members_.emplace(id, Member{});
  // Files are read and checked, and an actor is made, which waits for another thread.
  auto work = [make = plan_.make, pool = protocol::PoolUnit(self_), id, name = name_of(id)] {
    result<protocol::PoolMember> made = error(ErrorCode::Internal, "the VM was not made");
    try {
      made = make(name);
    } catch (const error& e) {
      made = e;
    } catch (const std::exception& e) {
      made = error(ErrorCode::Internal, std::string("making a VM: ") + e.what());
    }
    caf::anon_send(pool, protocol::made_atom_v, id, protocol::box(std::move(made)));
  };
  services_.files().make_executor(services_.next_loop())->submit(std::move(work), [] {});
}

void PoolState::check(MemberId id) {
  const auto* vm = vm_of(id);
  if (vm == nullptr) return;
  const auto no_answer = [this, id](const caf::error& why) {
    failed(id, error(ErrorCode::AgentUnavailable,
                     "the guest's agent does not answer: " + protocol::from_caf(why).message()));
  };
  self_->request(*vm, kCheckPatience, actors::agent_atom_v)
      .then(
          [this, id, no_answer](const actors::AgentActor& agent) {
            self_->request(agent, kCheckPatience, actors::ping_atom_v)
                .then([this, id] { core_.checked(id); }, no_answer);
          },
          no_answer);
}

void PoolState::destroy(MemberId id) {
  const auto it = members_.find(id);
  if (it == members_.end()) return;
  it->second.unwanted = true;
  it->second.reserved = {};
}

void PoolState::give(WaiterId waiter, MemberId id) {
  auto promise = std::move(waiters_.extract(waiter).mapped());
  promise.deliver(std::exchange(members_[id].reserved, {}));
}

void PoolState::refuse(WaiterId waiter, const error& why) {
  auto promise = std::move(waiters_.extract(waiter).mapped());
  promise.deliver(protocol::to_caf(why));
}

void PoolState::tell(const Tell& event) {
  PoolEvent out;
  out.kind = event.kind;
  out.vm = name_of(event.member);
  out.cause = event.cause;
  out.available = event.available;
  out.time = std::chrono::system_clock::now();
  const bool bad =
      out.kind == PoolEvent::Kind::RefillFailed || out.kind == PoolEvent::Kind::MemberLost;
  const auto what = to_string(out.kind);
  services_.log.write(bad ? LogLevel::Warning : LogLevel::Info, "pool", "pool." + what,
                      (out.vm.empty() ? plan_.options.name : out.vm) +
                          (out.cause.empty() ? "" : ": " + out.cause) + " (" +
                          std::to_string(out.available) + " available)");
  for (const auto& subscriber : subscribers_)
    caf::anon_send(subscriber, out);
}

void PoolState::on_built(const Built& built) {
  built_ = built;
  if (built.failure) return protocol::fail_all(waiting_built_, protocol::to_caf(*built.failure));
  for (auto& promise : waiting_built_)
    promise.deliver(caf::unit);
  waiting_built_.clear();
}

void PoolState::on_closed() {
  closed_ = true;
  for (auto& promise : waiting_closed_)
    promise.deliver(caf::unit);
  waiting_closed_.clear();
  if (dropped_) self_->quit();
}

// -- what happens

void PoolState::on_made(MemberId id, const result<protocol::PoolMember>& made) {
  auto& member = members_[id];
  if (!made.ok()) {
    members_.erase(id);
    core_.failed(id, made.error(), now());
    core_.gone(id, now());
    return carry_out();
  }
  member.vm = caf::actor_cast<protocol::VmUnit>(made->vm);
  self_->monitor(member.vm);
  // Else what made it is destroyed with this message, and the VM with it.
  if (member.unwanted) return;
  member.reserved = made->reserved;
  self_->request(member.vm, caf::infinite, actors::start_atom_v)
      .then([this, id] { on_started(id); },
            [this, id](const caf::error& why) { failed(id, protocol::from_caf(why)); });
}

void PoolState::on_started(MemberId id) {
  const auto* vm = vm_of(id);
  if (vm == nullptr) return;
  self_->request(*vm, caf::infinite, actors::ready_atom_v, actors::wait_atom_v)
      .then([this, id] { on_ready(id); },
            [this, id](const caf::error& why) { failed(id, protocol::from_caf(why)); });
}

void PoolState::on_ready(MemberId id) {
  const auto* vm = vm_of(id);
  if (vm == nullptr) return;
  self_->request(*vm, caf::infinite, actors::wait_atom_v)
      .then(
          [this, id](const std::optional<int>& code) {
            failed(id, has_ended("the VM has ended" +
                                 (code ? " with status " + std::to_string(*code) : "")));
          },
          [this, id](const caf::error& why) { failed(id, protocol::from_caf(why)); });
  core_.booted(id, now());
  carry_out();
}

void PoolState::failed(MemberId id, const error& why) {
  core_.failed(id, why, now());
  carry_out();
}

void PoolState::on_down(const caf::down_msg& down) {
  const auto it = std::find_if(members_.begin(), members_.end(), [&](const auto& one) {
    return one.second.vm && one.second.vm.address() == down.source;
  });
  if (it == members_.end()) {
    std::erase_if(subscribers_, [&](const caf::actor& s) { return s.address() == down.source; });
    return;
  }
  const auto id = it->first;
  members_.erase(it);
  core_.gone(id, now());
  carry_out();
}

caf::result<actors::ReservedVm> PoolState::reserve(std::optional<caf::timespan> timeout) {
  const auto waiter = next_waiter_++;
  auto promise = self_->make_response_promise();
  waiters_.emplace(waiter, promise);
  if (!timeout) {
    core_.try_reserve(waiter, now());
  } else {
    std::optional<TimePoint> deadline;
    if (*timeout <= kLongestWait)
      deadline = now() + std::max<caf::timespan>(*timeout, caf::timespan(0));
    core_.reserve(waiter, deadline, now());
  }
  carry_out();
  return promise;
}

caf::result<void> PoolState::shutdown() {
  if (closed_) return {};
  auto promise = self_->make_response_promise();
  waiting_closed_.push_back(promise);
  close({ErrorCode::PoolShutdown, "pool \"" + plan_.options.name + "\" was shut down"});
  return promise;
}

void PoolState::close(const error& why) {
  core_.close(why);
  carry_out();
}

// -- one timer

void PoolState::arm() {
  const auto next = core_.wakeup();
  if (!next || (armed_ && *armed_ <= *next)) return;
  armed_ = next;
  const auto left = std::max<nanoseconds>(*next - now(), nanoseconds(0));
  self_->delayed_send(self_, left, protocol::poke_atom_v, ++timer_);
}

void PoolState::on_poke(std::uint64_t timer) {
  if (timer != timer_) return;  // an earlier one was needed meanwhile
  armed_.reset();
  core_.poke(now());
  carry_out();
}

protocol::PoolUnit::behavior_type PoolState::make_behavior() {
  using namespace protocol;
  return {
      [this](reserve_atom, caf::timespan timeout) { return reserve(timeout); },
      [this](reserve_atom) { return reserve(std::nullopt); },
      [this](available_atom) -> std::uint64_t { return core_.available(); },
      [this](subscribe_atom, caf::actor& subscriber) {
        self_->monitor(subscriber);
        subscribers_.insert(std::move(subscriber));
      },
      [this](shutdown_atom) { return shutdown(); },
      // -- its handles and its runtime
      [this](ready_atom) -> caf::result<void> {
        if (built_ && built_->failure) return to_caf(*built_->failure);
        if (built_) return {};
        auto promise = self_->make_response_promise();
        waiting_built_.push_back(promise);
        return promise;
      },
      [this](made_atom, std::uint64_t member, const MadeBox& made) {
        on_made(member, *made.value);
      },
      [this](poke_atom, std::uint64_t timer) { on_poke(timer); },
      [this](drop_atom) {
        dropped_ = true;
        close({ErrorCode::PoolShutdown,
               "the last handle of pool \"" + plan_.options.name + "\" was dropped"});
        if (closed_) self_->quit();
      },
      [this](close_atom) {
        dropped_ = true;
        close({ErrorCode::RuntimeShutdown, "the runtime was shut down"});
        if (closed_) self_->quit();
      },
  };
}

}  // namespace capsa::pool
