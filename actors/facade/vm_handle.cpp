#include <actors/facade/impl.hpp>
#include <actors/facade/subscription.hpp>
#include <actors/vm/vm_units.hpp>

namespace capsa {

using namespace actors;
using detail::ask_map;
using detail::bounded;
using detail::kPatience;

detail::VmImpl::~VmImpl() {
  target_->tell(protocol::drop_atom_v);
}

std::shared_ptr<facade::Target> detail::VmImpl::target_of(
    const caf::strong_actor_ptr& actor) const {
  std::lock_guard lock(mutex_);
  std::erase_if(units_, [](const auto& unit) { return unit.second->down(); });
  auto& target = units_[actor->id()];
  if (!target) target = Target::make(target_->system(), actor, target_->post());
  return target;
}

future<void> VmHandle::start() const {
  return impl_->target().ask<void>(impl_->limit(kPatience), start_atom_v);
}

future<void> VmHandle::stop() const {
  return stop_with_timeout(std::chrono::seconds(30));
}

future<void> VmHandle::stop_with_timeout(std::chrono::milliseconds grace) const {
  // The grace is the VM's to keep; the request's own deadline bounds what comes after it.
  const caf::timespan kept = std::min<caf::timespan>(bounded(grace), kLongestWait);
  return impl_->target().ask<void>(kept + kPatience, stop_atom_v, kept);
}

future<void> VmHandle::kill() const {
  return impl_->target().ask<void>(impl_->limit(kPatience), kill_atom_v);
}

future<std::optional<int>> VmHandle::wait() const {
  return impl_->target().ask<std::optional<int>>(impl_->limit(), wait_atom_v);
}

future<std::optional<int>> VmHandle::wait_timeout(std::chrono::milliseconds timeout) const {
  // Who only looks asks nobody.
  if (timeout.count() <= 0 && !status().ended())
    return future<std::optional<int>>::ready(
        capsa::error(ErrorCode::Timeout, "VM \"" + name() + "\" is " + to_string(status())));
  // The VM keeps to it; the request's own deadline is for a VM that does not answer.
  const caf::timespan kept = std::min<caf::timespan>(bounded(timeout), kLongestWait);
  return impl_->target().ask<std::optional<int>>(kept + kPatience, wait_atom_v, kept);
}

future<void> VmHandle::pause() const {
  return impl_->target().ask<void>(impl_->limit(kPatience), pause_atom_v);
}

future<void> VmHandle::resume() const {
  return impl_->target().ask<void>(impl_->limit(kPatience), resume_atom_v);
}

VmStatus VmHandle::status() const {
  return impl_->shared().status();
}

Subscription VmHandle::subscribe(std::function<void(const VmEvent&)> on_event) const {
  return Subscription(detail::SubscriptionImpl::make(impl_->runtime(), name(), impl_->target(),
                                                     std::move(on_event)));
}

future<Console> VmHandle::console() const {
  return ask_map<Console, ConsoleActor>(
      impl_->target(), impl_->limit(kPatience),
      [vm = impl_](const ConsoleActor& console) {
        return Console(
            std::make_shared<detail::ConsoleImpl>(detail::ConsoleImpl{vm, vm->target_of(console)}));
      },
      console_atom_v);
}

future<std::string> VmHandle::kernel_log() const {
  return impl_->target().ask<std::string>(impl_->limit(kPatience), klog_atom_v);
}

future<VmStats> VmHandle::stats() const {
  return impl_->target().ask<VmStats>(impl_->limit(kPatience), stats_atom_v);
}

std::optional<VsockSocket> VmHandle::vsock_socket(std::uint32_t port) const {
  for (const auto& config : impl_->plan().config.vsock_ports)
    if (config.port == port)
      return VsockSocket(impl_, config.port, config.socket_path, config.connects);
  return std::nullopt;
}

std::vector<VsockSocket> VmHandle::vsock_sockets() const {
  std::vector<VsockSocket> out;
  for (const auto& config : impl_->plan().config.vsock_ports)
    out.emplace_back(impl_, config.port, config.socket_path, config.connects);
  return out;
}

future<std::vector<Vcpu>> VmHandle::vcpus() const {
  return ask_map<std::vector<Vcpu>, std::vector<VcpuActor>>(
      impl_->target(), impl_->limit(kPatience),
      [vm = impl_](const std::vector<VcpuActor>& vcpus) {
        std::vector<Vcpu> out;
        for (unsigned i = 0; i < vcpus.size(); ++i)
          out.emplace_back(
              std::make_shared<detail::VcpuImpl>(detail::VcpuImpl{vm, vm->target_of(vcpus[i])}), i);
        return out;
      },
      vcpus_atom_v);
}

const std::string& VmHandle::name() const {
  return impl_->plan().config.name;
}

std::vector<VmDisk> VmHandle::disks() const {
  return vm::disks_of(impl_->plan().boot, impl_->plan().config);
}

ResourceConfig VmHandle::resources() const {
  return impl_->plan().config.resources;
}

// -- Vcpu

future<VcpuStats> Vcpu::stats() const {
  return impl_->target->ask<VcpuStats>(impl_->vm->limit(kPatience), stats_atom_v);
}

future<void> Vcpu::pin(std::vector<unsigned> host_cpus) const {
  return impl_->target->ask<void>(impl_->vm->limit(kPatience), pin_atom_v, std::move(host_cpus));
}

future<void> Vcpu::pause() const {
  return impl_->target->ask<void>(impl_->vm->limit(kPatience), pause_atom_v);
}

future<void> Vcpu::resume() const {
  return impl_->target->ask<void>(impl_->vm->limit(kPatience), resume_atom_v);
}

// -- VsockSocket

namespace {

template <class Ask>
future<VsockStream> open_stream(const std::shared_ptr<detail::VmImpl>& vm, std::uint32_t port,
                                detail::Deadline deadline, Ask ask) {
  promise<VsockStream> p(vm->target().post());
  vm->target().ask_then<VsockPortActor>(
      deadline,
      [vm, p, deadline, ask](result<VsockPortActor> actor) {
        if (!actor.ok()) {
          p.set(actor.error());
          return;
        }
        const auto on_fd = [p](result<FdBox> box) {
          if (box.ok())
            p.set(VsockStream(box->take()));
          else
            p.set(box.error());
        };
        ask(*vm->target_of(*actor), deadline, on_fd);
      },
      vsock_atom_v, port);
  return p.get_future();
}

}  // namespace

future<VsockStream> VsockSocket::connect() const {
  return open_stream(vm_, port_, vm_->limit(kPatience),
                     [](facade::Target& port, const detail::Deadline& deadline, const auto& on_fd) {
                       port.ask_then<FdBox>(deadline, on_fd, connect_atom_v);
                     });
}

future<VsockStream> VsockSocket::accept() const {
  return open_stream(vm_, port_, vm_->limit(),
                     [](facade::Target& port, const detail::Deadline& deadline, const auto& on_fd) {
                       const caf::timespan left = deadline.left();
                       port.ask_then<FdBox>(detail::net_below(left), on_fd, accept_atom_v, left);
                     });
}

}  // namespace capsa
