#include <actors/loop/quiet_thread.hpp>
#include <actors/protocol/errors.hpp>
#include <actors/protocol/internal.hpp>
#include <actors/protocol/network.hpp>
#include <actors/runtime/runtime_impl.hpp>

#include <algorithm>
#include <thread>
#include <vector>

namespace capsa::actors {

namespace {

/// Marks CAF's own threads as a runtime's.
class MarkThreads final : public caf::thread_hook {
 public:
  void init(caf::actor_system&) override {}
  void thread_started() override { mark_runtime_thread(); }
  void thread_terminates() override {}
};

}  // namespace

void configure(caf::actor_system_config& config) {
  config.add_message_types<caf::id_block::capsa>();
  config.add_message_types<caf::id_block::capsa_internal>();
  config.add_message_types<caf::id_block::capsa_network>();
  config.add_error_category(protocol::kErrorCategory, protocol::render);
  config.add_thread_hook<MarkThreads>();
  // Work stealing polls: idle it costs CPU, and a request takes 130 us instead of 18.
  config.set("scheduler.policy", caf::atom("sharing"));
  // Without a bound one hot actor keeps its worker for as long as it has messages.
  config.set("scheduler.max-throughput", std::size_t{200});
}

}  // namespace capsa::actors

namespace capsa::detail {

RuntimeImpl::Parts::Parts(const RuntimeOptions& options, caf::actor_system* borrowed) {
  auto* system = borrowed;
  if (system == nullptr) {
    owner.call([&] {
      config = std::make_unique<caf::actor_system_config>();
      actors::configure(*config);
      const unsigned threads = options.scheduler_threads != 0
                                   ? options.scheduler_threads
                                   : std::clamp(std::thread::hardware_concurrency(), 1U, 4U);
      config->set("scheduler.max-threads", std::size_t{threads});
      const loop::SignalsBlocked for_its_threads;
      owned = std::make_unique<caf::actor_system>(*config);
    });
    system = owned.get();
  }
  try {
    services = std::make_unique<Services>(*system, options, callbacks);
  } catch (...) {
    end();
    throw;
  }
  live->lent = true;
  lent = {services.get(), [live = live](Services*) {
            std::lock_guard lock(live->mutex);
            live->lent = false;
            live->gone.notify_all();
          }};
}

std::string RuntimeImpl::Live::names() const {
  std::string out;
  const auto add = [&out](const std::string& name) { out += (out.empty() ? "" : ", ") + name; };
  for (const auto& [id, pool] : pools)
    add(pool.second);
  for (const auto& [id, vm] : vms)
    add(vm.second);
  for (const auto& [id, listener] : listeners)
    add(listener.second);
  if (lent) add("a call of this library");
  return out;
}

void RuntimeImpl::Parts::shutdown() {
  {
    std::lock_guard lock(mutex);
    if (!lent) return;
    lent = nullptr;
  }
  // A VM that is being made now is among the others then, and no later one is made.
  owner.call([this] {
    std::lock_guard lock(live->mutex);
    live->closed = true;
  });
  std::vector<caf::actor> pools;
  std::vector<caf::actor> vms;
  {
    std::lock_guard lock(live->mutex);
    for (const auto& [id, pool] : live->pools)
      pools.push_back(caf::actor_cast<caf::actor>(pool.first));
    for (const auto& [id, vm] : live->vms)
      vms.push_back(caf::actor_cast<caf::actor>(vm.first));
  }
  // Pools first: to them a VM that ends is one to be replaced.
  for (const auto& pool : pools)
    if (pool) caf::anon_send<caf::message_priority::high>(pool, actors::close_atom_v);
  for (const auto& vm : vms)
    if (vm) caf::anon_send<caf::message_priority::high>(vm, protocol::drop_atom_v);
  // Outside of the lock, which an actor takes where its last reference goes.
  pools.clear();
  vms.clear();
  std::string left;
  {
    std::unique_lock lock(live->mutex);
    live->gone.wait_for(lock, services->options.shutdown_deadline,
                        [this] { return live->empty(); });
    if (!live->empty()) left = live->names();
  }
  if (left.empty()) {
    services.reset();  // ends the loops, which answer what is still pending there
    callbacks->stop();
    return;
  }
  services->log.write(LogLevel::Error, "runtime", "runtime.shutdown_stuck",
                      "still there after the deadline: " + left);
  // Their threads and actors are given up on: destroying the system would wait for them for ever.
  abandoned = true;
  static_cast<void>(owned.release());
  static_cast<void>(config.release());
  static auto& all = *new std::vector<std::unique_ptr<Services>>;
  all.push_back(std::move(services));
}

void RuntimeImpl::Parts::end() {
  // Left to do where shutdown() was called inside a callback.
  if (!abandoned) callbacks->stop();
  owner.call([this] {
    owned.reset();
    config.reset();
  });
}

RuntimeImpl::RuntimeImpl(RuntimeOptions options)
    : parts_(std::make_shared<Parts>(options, nullptr)) {}

RuntimeImpl::RuntimeImpl(caf::actor_system& borrowed, RuntimeOptions options)
    : parts_(std::make_shared<Parts>(options, &borrowed)) {}

RuntimeImpl::~RuntimeImpl() {
  auto end = [parts = std::move(parts_)]() mutable {
    parts->shutdown();
    parts->end();
    parts.reset();
  };
  if (on_runtime_thread())
    std::thread(std::move(end)).detach();
  else
    end();
}

std::shared_ptr<Services> RuntimeImpl::services() const {
  std::lock_guard lock(parts_->mutex);
  return parts_->lent;
}

std::function<void(std::function<void()>)> RuntimeImpl::post() const {
  return [callbacks = parts_->callbacks](std::function<void()> work) {
    callbacks->post(std::move(work));
  };
}

caf::strong_actor_ptr RuntimeImpl::add(Parts& parts, Actors Live::*where, std::string name,
                                       const Spawn& spawn) {
  caf::strong_actor_ptr actor;
  parts.owner.call([&] {
    const auto& live = parts.live;
    {
      std::lock_guard lock(live->mutex);
      if (live->closed) return;
    }
    actor = spawn();
    const auto id = actor->id();
    {
      std::lock_guard lock(live->mutex);
      ((*live).*where).emplace(id, std::pair(actor->address(), std::move(name)));
    }
    actor->get()->attach_functor([live, where, id](const caf::error&) {
      std::lock_guard lock(live->mutex);
      ((*live).*where).erase(id);
      live->gone.notify_all();
    });
  });
  return actor;
}

RuntimeImpl::AddVm RuntimeImpl::vm_adder() const {
  return [weak = std::weak_ptr<Parts>(parts_)](std::string name, const Spawn& spawn) {
    const auto parts = weak.lock();
    return parts ? add(*parts, &Live::vms, std::move(name), spawn) : caf::strong_actor_ptr();
  };
}

caf::strong_actor_ptr RuntimeImpl::add_pool(std::string name, const Spawn& spawn) const {
  return add(*parts_, &Live::pools, std::move(name), spawn);
}

caf::strong_actor_ptr RuntimeImpl::add_listener(std::string name, const Spawn& spawn) const {
  return add(*parts_, &Live::listeners, std::move(name), spawn);
}

std::size_t RuntimeImpl::live_vms() const {
  std::lock_guard lock(parts_->live->mutex);
  return parts_->live->vms.size();
}

std::vector<caf::strong_actor_ptr> RuntimeImpl::vms() const {
  std::vector<caf::strong_actor_ptr> out;
  {
    std::lock_guard lock(parts_->live->mutex);
    for (const auto& [id, vm] : parts_->live->vms)
      out.push_back(caf::actor_cast<caf::strong_actor_ptr>(vm.first));
  }
  std::erase(out, nullptr);  // those that end right now
  return out;
}

void RuntimeImpl::shutdown() {
  parts_->shutdown();
}

}  // namespace capsa::detail
