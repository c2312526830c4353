#include <actors/protocol/errors.hpp>
#include <actors/protocol/internal.hpp>
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
      owned = std::make_unique<caf::actor_system>(*config);
    });
    system = owned.get();
  }
  try {
    services = std::make_shared<Services>(*system, options);
  } catch (...) {
    end();
    throw;
  }
}

void RuntimeImpl::Parts::shutdown() {
  std::shared_ptr<Services> ending;
  {
    std::lock_guard lock(mutex);
    ending = std::move(services);
    services = nullptr;
  }
  if (!ending) return;
  std::string left;
  {
    std::unique_lock lock(live->mutex);
    live->closed = true;
    for (const auto& [id, vm] : live->vms)
      if (auto actor = caf::actor_cast<caf::actor>(vm.first))
        caf::anon_send<caf::message_priority::high>(actor, protocol::drop_atom_v);
    live->gone.wait_for(lock, ending->options.shutdown_deadline,
                        [this] { return live->vms.empty(); });
    for (const auto& [id, vm] : live->vms)
      left += (left.empty() ? "" : ", ") + vm.second;
  }
  if (left.empty()) return;  // dropping `ending` ends loops and threads
  ending->log.write(LogLevel::Error, "runtime", "runtime.shutdown_stuck",
                    "still there after the deadline: " + left);
  // Their threads and actors are given up on: destroying the system would wait for them for ever.
  static_cast<void>(owned.release());
  static_cast<void>(config.release());
  static auto& abandoned = *new std::vector<std::shared_ptr<Services>>;
  abandoned.push_back(std::move(ending));
}

void RuntimeImpl::Parts::end() {
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
  return parts_->services;
}

std::function<void(std::function<void()>)> RuntimeImpl::post() {
  return [weak = weak_from_this()](std::function<void()> work) {
    // Once the runtime is gone nothing is left to be delayed by a callback.
    const auto self = weak.lock();
    const auto services = self ? self->services() : nullptr;
    if (services)
      services->callbacks.post(std::move(work));
    else
      work();
  };
}

void RuntimeImpl::on_owner(const std::function<void()>& work) const {
  parts_->owner.call(work);
}

bool RuntimeImpl::add_vm(const caf::strong_actor_ptr& actor, std::string name) {
  const auto& live = parts_->live;
  {
    std::lock_guard lock(live->mutex);
    if (live->closed) return false;
    live->vms.emplace(actor->id(), std::pair(actor->address(), std::move(name)));
  }
  actor->get()->attach_functor([live, id = actor->id()](const caf::error&) {
    std::lock_guard lock(live->mutex);
    live->vms.erase(id);
    live->gone.notify_all();
  });
  return true;
}

std::size_t RuntimeImpl::live_vms() const {
  std::lock_guard lock(parts_->live->mutex);
  return parts_->live->vms.size();
}

void RuntimeImpl::shutdown() {
  parts_->shutdown();
}

}  // namespace capsa::detail
