#include <actors/facade/make_vm.hpp>

namespace capsa {

future<VmHandle> VmBuilder::build() && {
  facade::VmRequest request;
  request.config = std::move(config_);
  request.boot = std::move(boot_);
  request.defaults = facade::default_arguments();
  return future<VmHandle>::ready(facade::make_vm(runtime_, std::move(request)));
}

template <bool HasCommand>
future<VmHandle> BasicSandboxBuilder<HasCommand>::build_sandbox(
    std::shared_ptr<detail::RuntimeImpl> runtime, VmConfig config, SandboxConfig sandbox) {
  auto request = facade::sandbox_request(std::move(config), std::move(sandbox));
  if (!request.ok()) return future<VmHandle>::ready(request.error());
  auto built = facade::make_vm(runtime, std::move(*request));
  if (!built.ok()) return future<VmHandle>::ready(built.error());
  // A sandbox has nothing to be done between building and starting it.
  return facade::start_vm(*built);
}

template class BasicSandboxBuilder<true>;
template class BasicSandboxBuilder<false>;

}  // namespace capsa
