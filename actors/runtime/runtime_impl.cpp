#include <actors/protocol/internal.hpp>
#include <actors/runtime/runtime_impl.hpp>

#include <algorithm>
#include <thread>

namespace capsa::actors {

void configure(caf::actor_system_config& config) {
  config.add_message_types<caf::id_block::capsa>();
  config.add_message_types<caf::id_block::capsa_internal>();
  // Work stealing polls: idle it costs CPU, and a request takes 130 us instead of 18.
  config.set("scheduler.policy", caf::atom("sharing"));
  // Without a bound one hot actor keeps its worker for as long as it has messages.
  config.set("scheduler.max-throughput", std::size_t{200});
}

}  // namespace capsa::actors

namespace capsa::detail {

namespace {

std::unique_ptr<caf::actor_system_config> make_config(const RuntimeOptions& options) {
  auto config = std::make_unique<caf::actor_system_config>();
  actors::configure(*config);
  const unsigned threads = options.scheduler_threads != 0
                               ? options.scheduler_threads
                               : std::clamp(std::thread::hardware_concurrency(), 1U, 4U);
  config->set("scheduler.max-threads", std::size_t{threads});
  return config;
}

}  // namespace

RuntimeImpl::RuntimeImpl(RuntimeOptions options)
    : config_(make_config(options)),
      owned_(std::make_unique<caf::actor_system>(*config_)),
      system_(owned_.get()),
      live_(std::make_shared<Live>()),
      services_(std::make_shared<Services>(*system_, options)) {}

RuntimeImpl::RuntimeImpl(caf::actor_system& borrowed, RuntimeOptions options)
    : system_(&borrowed),
      live_(std::make_shared<Live>()),
      services_(std::make_shared<Services>(borrowed, options)) {}

RuntimeImpl::~RuntimeImpl() {
  shutdown();
}

std::shared_ptr<Services> RuntimeImpl::services() const {
  std::lock_guard lock(mutex_);
  return services_;
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

bool RuntimeImpl::add_vm(const caf::strong_actor_ptr& actor, std::string name) {
  {
    std::lock_guard lock(live_->mutex);
    if (live_->closed) return false;
    live_->vms.emplace(actor->id(), std::pair(actor->address(), std::move(name)));
  }
  actor->get()->attach_functor([live = live_, id = actor->id()](const caf::error&) {
    std::lock_guard lock(live->mutex);
    live->vms.erase(id);
    live->gone.notify_all();
  });
  return true;
}

std::size_t RuntimeImpl::live_vms() const {
  std::lock_guard lock(live_->mutex);
  return live_->vms.size();
}

void RuntimeImpl::shutdown() {
  std::shared_ptr<Services> services;
  {
    std::lock_guard lock(mutex_);
    services = std::move(services_);
    services_ = nullptr;
  }
  if (!services) return;
  std::string left;
  {
    std::unique_lock lock(live_->mutex);
    live_->closed = true;
    for (const auto& [id, vm] : live_->vms)
      if (auto actor = caf::actor_cast<caf::actor>(vm.first))
        caf::anon_send<caf::message_priority::high>(actor, protocol::drop_atom_v);
    live_->gone.wait_for(lock, services->options.shutdown_deadline,
                         [this] { return live_->vms.empty(); });
    for (const auto& [id, vm] : live_->vms)
      left += (left.empty() ? "" : ", ") + vm.second;
  }
  if (!left.empty()) {
    services->log.write(LogLevel::Error, "runtime", "runtime.shutdown_stuck",
                        "still there after the deadline: " + left);
    // Their threads and actors are given up on: destroying the system would wait for them for ever.
    static_cast<void>(owned_.release());
    static_cast<void>(config_.release());
    static auto& abandoned = *new std::vector<std::shared_ptr<Services>>;
    abandoned.push_back(std::move(services));
    return;
  }
  services.reset();  // ends loops and threads, unless a call on another thread still uses them
}

}  // namespace capsa::detail
