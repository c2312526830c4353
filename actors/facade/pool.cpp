#include <actors/facade/reservation.hpp>
#include <actors/facade/subscription.hpp>
#include <actors/pool/pool.hpp>
#include <actors/protocol/spawn.hpp>
#include <actors/values/validate.hpp>
#include <actors/values/validate_pool.hpp>
#include <algorithm>
#include <capsa/pool.hpp>
#include <thread>

namespace capsa {

using namespace actors;
using detail::bounded;
using detail::Deadline;
using detail::kPatience;
using detail::nanoseconds;
using facade::Target;

/// Behind Pool: the last one shuts the pool down.
class detail::PoolImpl {
 public:
  PoolImpl(std::shared_ptr<RuntimeImpl> its_runtime, std::shared_ptr<Target> its_target)
      : runtime(std::move(its_runtime)), target(std::move(its_target)) {}
  ~PoolImpl() { target->tell(protocol::drop_atom_v); }
  PoolImpl(const PoolImpl&) = delete;
  PoolImpl& operator=(const PoolImpl&) = delete;

  const std::shared_ptr<RuntimeImpl> runtime;
  const std::shared_ptr<Target> target;
  std::string name;
  std::size_t size = 0;
  nanoseconds timeout = kForever;
};

namespace {

error shut_down() {
  return {ErrorCode::RuntimeShutdown, "the runtime was shut down", "make a new Runtime"};
}

/// While there is a handle the actor ends only with its runtime, and what it has not come to by
/// then is not answered by itself.
error told(const error& why) {
  const bool ended = why.code() == ErrorCode::NotRunning || why.code() == ErrorCode::VmEnded;
  return ended ? shut_down() : why;
}

/// Asks the pool's actor and makes `B` of its answer on the answering thread.
template <class B, class A, class F, class... Ts>
future<B> ask_pool(Target& pool, const Deadline& deadline, F f, Ts... xs) {
  promise<B> p(pool.post());
  pool.ask_then<A>(
      deadline,
      [p, f = std::move(f)](const result<A>& answer) {
        if (answer.ok())
          p.set(f(*answer));
        else
          p.set(told(answer.error()));
      },
      xs...);
  return p.get_future();
}

template <class... Ts>
future<PooledVm> reserve_of(const detail::PoolImpl& pool, const Deadline& deadline, Ts... xs) {
  // The runtime alone: a pool whose last handle is gone is not kept by those who wait for it.
  return ask_pool<PooledVm, ReservedVm>(
      *pool.target, deadline,
      [runtime = pool.runtime](const ReservedVm& reserved) {
        reserved.impl()->make_handle(runtime);
        return PooledVm(reserved.impl());
      },
      reserve_atom_v, xs...);
}

result<facade::VmRequest> request_of(VmConfig config, PoolMember member) {
  if (auto* sandbox = std::get_if<SandboxConfig>(&member))
    return facade::sandbox_request(std::move(config), std::move(*sandbox));
  facade::VmRequest out;
  if (auto* linux_boot = std::get_if<LinuxDirectBootConfig>(&member))
    out.boot = std::move(*linux_boot);
  else
    out.boot = std::move(std::get<UefiBootConfig>(member));
  out.config = std::move(config);
  out.defaults = facade::default_arguments();
  return out;
}

/// Where the paths of a member that is booted later start.
void make_absolute(facade::VmRequest& request) {
  std::error_code ignored;
  const auto cwd = std::filesystem::current_path(ignored);
  request.config = normalize(std::move(request.config), cwd);
  request.boot = std::visit(
      [&cwd](auto boot) -> BootConfig { return normalize(std::move(boot), cwd); }, request.boot);
}

/// Makes a member as build() would make a VM, without holding the runtime.
result<facade::MadeVm> make_member(Services& services, const detail::RuntimeImpl::AddVm& add,
                                   facade::VmRequest request, std::string name) {
  request.config.name = std::move(name);
  return facade::make_vm(services, add, std::move(request));
}

}  // namespace

PoolBuilder::PoolBuilder(std::shared_ptr<detail::RuntimeImpl> runtime, PoolMember member)
    : BuilderMethods(std::move(runtime)), member_(std::move(member)) {
  if (!std::holds_alternative<SandboxConfig>(member_)) return;
  config_.console = true;
  config_.agent = true;
}

future<Pool> PoolBuilder::build(std::size_t size) && {
  const auto fail = [](error why) { return future<Pool>::ready(std::move(why)); };
  const auto services = runtime_->services();
  if (!services) return fail(shut_down());
  if (config_.name.empty()) config_.name = "pool-" + std::to_string(services->next_pool());
  if (const auto valid = validate_pool(config_, member_, size); !valid.ok())
    return fail(valid.error());
  const auto name = config_.name;
  auto request = request_of(std::move(config_), std::move(member_));
  if (!request.ok()) return fail(request.error());
  make_absolute(*request);

  // Whatever is wrong with all of them is told before anything is started.
  const auto add = runtime_->vm_adder();
  auto first = make_member(*services, add, *request, name + "-0");
  if (!first.ok()) return fail(first.error());
  const detail::ReservationImpl destroyed(std::move(*first));

  pool::PoolPlan plan;
  plan.options.name = name;
  plan.options.size = size;
  // More than that at once take no less time together, and each of them longer.
  plan.options.boots_at_once = 2 * std::max(1U, std::thread::hardware_concurrency());
  plan.options.checks = request->config.agent;
  const auto timeout = request->config.timeout;
  plan.make = [services = services.get(), add,
               request = std::move(*request)](std::string member) -> result<protocol::PoolMember> {
    auto made = make_member(*services, add, request, std::move(member));
    if (!made.ok()) return made.error();
    auto actor = made->actor;
    return protocol::PoolMember{
        std::move(actor), ReservedVm(std::make_shared<detail::ReservationImpl>(std::move(*made)))};
  };
  const auto actor = runtime_->add_pool(name, [&] {
    return caf::actor_cast<caf::strong_actor_ptr>(
        protocol::spawn_state<protocol::PoolUnit, pool::PoolState>(
            services->system, std::ref(*services), std::move(plan)));
  });
  if (!actor) return fail(shut_down());

  auto target = Target::make(services->system, actor, runtime_->post());
  const auto impl = std::make_shared<detail::PoolImpl>(std::move(runtime_), std::move(target));
  impl->name = name;
  impl->size = size;
  if (timeout) impl->timeout = *timeout;
  promise<Pool> p(impl->target->post());
  impl->target->ask_then<void>(
      Deadline(),
      [p, impl](const result<void>& built) {
        if (built.ok())
          p.set(Pool(impl));
        else
          // A VM that has ended is a reason of its own, but where all of them do.
          p.set(impl->runtime->services() ? built.error() : shut_down());
      },
      ready_atom_v);
  return p.get_future();
}

// -- Pool

future<PooledVm> Pool::reserve() const {
  const caf::timespan timeout = impl_->timeout;
  return reserve_of(*impl_, detail::net_below(timeout), timeout);
}

future<PooledVm> Pool::reserve_timeout(std::chrono::milliseconds timeout) const {
  const caf::timespan kept = bounded(timeout);
  return reserve_of(*impl_, detail::net_below(kept), kept);
}

result<PooledVm> Pool::try_reserve() const {
  return reserve_of(*impl_, nanoseconds(kPatience)).result();
}

future<std::size_t> Pool::available_count() const {
  return ask_pool<std::size_t, std::uint64_t>(
      *impl_->target, nanoseconds(kPatience), [](std::uint64_t n) { return std::size_t{n}; },
      available_atom_v);
}

std::size_t Pool::size() const {
  return impl_->size;
}

const std::string& Pool::name() const {
  return impl_->name;
}

Subscription Pool::subscribe(std::function<void(const PoolEvent&)> on_event) const {
  return Subscription(detail::SubscriptionImpl::make(*impl_->runtime, impl_->name, *impl_->target,
                                                     std::move(on_event)));
}

future<void> Pool::shutdown() const {
  promise<void> p(impl_->target->post());
  impl_->target->ask_then<void>(
      nanoseconds(kPatience),
      [p](const result<void>& done) {
        // One that ended with its runtime is shut down, too.
        if (done.ok() || told(done.error()).code() == ErrorCode::RuntimeShutdown)
          p.set({});
        else
          p.set(done.error());
      },
      shutdown_atom_v);
  return p.get_future();
}

// -- PooledVm

const VmHandle& PooledVm::vm() const {
  return impl_->vm();
}

future<void> PooledVm::release() && {
  const auto impl = std::move(impl_);
  if (!impl) return future<void>::ready({});
  promise<void> p(detail::HandleAccess::impl(impl->vm())->target().post());
  impl->actor()->get()->attach_functor([p](const caf::error&) { p.set({}); });
  impl->destroy();
  return p.get_future();
}

namespace actors {

PoolActor actor_of(const Pool& pool) {
  return caf::actor_cast<PoolActor>(detail::HandleAccess::impl(pool)->target->actor());
}

VmActor actor_of(const ReservedVm& reserved) {
  return caf::actor_cast<VmActor>(reserved.impl()->actor());
}

}  // namespace actors
}  // namespace capsa
