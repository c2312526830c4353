#include <actors/facade/impl.hpp>
#include <capsa/actors.hpp>
#include <capsa/runtime.hpp>

namespace capsa {

Runtime::Runtime(RuntimeOptions options)
    : impl_(std::make_shared<detail::RuntimeImpl>(std::move(options))) {}

void Runtime::shutdown() {
  impl_->shutdown();
}

std::size_t Runtime::live_vms() const {
  return impl_->live_vms();
}

Runtime& Capsa::runtime() {
  static Runtime runtime;
  return runtime;
}

namespace actors {

Runtime runtime_on(caf::actor_system& system, RuntimeOptions options) {
  return Runtime(std::make_shared<detail::RuntimeImpl>(system, std::move(options)));
}

VmActor actor_of(const VmHandle& vm) {
  return caf::actor_cast<VmActor>(detail::HandleAccess::impl(vm)->target().actor());
}

ConsoleActor actor_of(const Console& console) {
  return caf::actor_cast<ConsoleActor>(detail::HandleAccess::impl(console)->target->actor());
}

AgentActor actor_of(const AgentClient& agent) {
  return caf::actor_cast<AgentActor>(detail::HandleAccess::impl(agent)->target->actor());
}

VcpuActor actor_of(const Vcpu& vcpu) {
  return caf::actor_cast<VcpuActor>(detail::HandleAccess::impl(vcpu)->target->actor());
}

capsa::error to_capsa_error(const caf::error& e) {
  return protocol::from_caf(e);
}

}  // namespace actors
}  // namespace capsa
