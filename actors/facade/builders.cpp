#include <actors/facade/impl.hpp>
#include <actors/guest/assets.hpp>
#include <actors/guest/tsc.hpp>
#include <actors/network/network_host.hpp>
#include <actors/protocol/spawn.hpp>
#include <actors/values/validate.hpp>
#include <actors/vm/vm.hpp>
#include <backends/kvm/host.hpp>

#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace capsa {

namespace {

using detail::RuntimeImpl;

// What every guest of ours boots with, before the user's own arguments. A panic or a reboot ends
// the machine (it is never rebooted in place), by triple fault, which every kernel can do. The
// serial port has the kernel's log; the virtio console, where there is one, is /dev/console.
constexpr std::string_view kDefaults = "console=ttyS0 quiet panic=-1 reboot=t";

/// An emulated timer chip is too coarse for a kernel to measure a clock against, and one that has
/// no clock does not come up: it is told instead.
std::string emulated_clock() {
  std::string out = " no_timer_check tsc=reliable";
  if (const auto khz = guest::tsc_khz()) out += " tsc_early_khz=" + std::to_string(*khz);
  return out;
}

std::string root_argument(const DiskImage& root) {
  return std::string(" root=/dev/vda ") + (root.is_read_only ? "ro" : "rw");
}

result<VmHandle> refuse(capsa::error why) {
  return why;
}

capsa::error shut_down() {
  return {ErrorCode::RuntimeShutdown, "the runtime was shut down", "make a new Runtime"};
}

/// Gives every port its path, and a VM with an agent the agent's port.
void complete(VmConfig& config, const std::filesystem::path& dir) {
  for (auto& port : config.vsock_ports)
    if (port.socket_path.empty())
      port.socket_path = dir / ("vsock-" + std::to_string(port.port) + ".sock");
}

/// What the program's environment wants Auto to be: for whoever runs a program and did not write
/// it.
Backend usual_backend() {
  const char* const name = std::getenv("CAPSA_BACKEND");
  const std::string_view wanted = name != nullptr ? name : "";
  if (wanted == "kvm") return Backend::Kvm;
  return wanted == "qemu" ? Backend::Qemu : Backend::Auto;
}

/// What Auto comes to on this machine, and whether what was asked for can be had.
result<void> choose_backend(vm::VmPlan& plan, Services& services) {
  const VmConfig& config = plan.config;
  plan.accelerator = config.accelerator;
  if (config.backend == Backend::Kvm && config.accelerator == Accelerator::Tcg)
    return capsa::error(ErrorCode::InvalidConfig, "accelerator: tcg was given with backend: kvm",
                        "choose Backend::Qemu for emulation");
  const Backend wanted = config.backend == Backend::Auto ? usual_backend() : config.backend;
  const bool may_be_kvm = wanted == Backend::Kvm ||
                          (wanted == Backend::Auto && config.accelerator == Accelerator::Auto);
  if (may_be_kvm) {
    const auto usable = kvm::check_host(config.resources.memory_mb);
    if (usable.ok()) {
      plan.backend = Backend::Kvm;
      return {};
    }
    if (wanted == Backend::Kvm) return usable;
  }
  plan.backend = Backend::Qemu;
  auto qemu = services.qemu();
  if (!qemu.ok()) return qemu.error();
  if (config.accelerator == Accelerator::Kvm && !qemu->kvm)
    return capsa::error(ErrorCode::BackendUnavailable, "KVM cannot be used: " + qemu->kvm_reason,
                        "leave accelerator() at Accelerator::Auto, or fix what the message names");
  plan.qemu = std::move(*qemu);
  return {};
}

bool is_emulated(const vm::VmPlan& plan) {
  return plan.backend == Backend::Qemu && (!plan.qemu.kvm || plan.accelerator == Accelerator::Tcg);
}

result<VmHandle> build_vm(const std::shared_ptr<RuntimeImpl>& runtime, VmConfig config,
                          LinuxDirectBootConfig boot, std::string_view defaults,
                          std::optional<SandboxCommand> command) {
  const auto services = runtime->services();
  if (!services) return refuse(shut_down());
  std::error_code ignored;
  const auto cwd = std::filesystem::current_path(ignored);

  auto plan = std::make_shared<vm::VmPlan>();
  const auto number = services->next_vm();
  plan->id = std::to_string(number);
  if (config.name.empty()) config.name = "vm-" + plan->id;
  plan->boot = normalize(std::move(boot), cwd);
  plan->config = normalize(std::move(config), cwd);

  auto context = host_context();
  context.sandbox = command.has_value();
  context.boot = plan->boot;
  if (const auto valid = validate(plan->config, context); !valid.ok()) return refuse(valid.error());
  if (command)
    if (const auto valid = validate(command->exec); !valid.ok()) return refuse(valid.error());

  if (const auto chosen = choose_backend(*plan, *services); !chosen.ok())
    return refuse(chosen.error());
  std::string all_defaults(defaults);
  if (is_emulated(*plan)) all_defaults += emulated_clock();
  // A machine of ours has the keyboard controller that resets a PC, so that a triple fault is what
  // it looks like: a crash.
  if (plan->backend == Backend::Kvm) all_defaults += " reboot=k";
  if (plan->config.console) all_defaults += " console=hvc0";
  if (plan->boot.root_disk) all_defaults += root_argument(*plan->boot.root_disk);
  auto line = plan->config.command_line.render(all_defaults);
  if (!line.ok()) return refuse(line.error());
  plan->command_line = std::move(*line);

  plan->guest_cid = services->next_cid();
  plan->mac = services->network().next_mac();
  plan->sandbox = std::move(command);
  complete(plan->config, services->runtime_dir.path() / ("vm-" + plan->id));

  auto shared = std::make_shared<vm::VmShared>();
  const auto actor = runtime->add_vm(plan->config.name, [&] {
    return caf::actor_cast<caf::strong_actor_ptr>(
        protocol::spawn_state<protocol::VmUnit, vm::VmState>(
            services->system, std::ref(*services), std::shared_ptr<const vm::VmPlan>(plan),
            shared));
  });
  if (!actor) return refuse(shut_down());
  auto target = facade::Target::make(services->system, actor, runtime->post());
  return VmHandle(std::make_shared<detail::VmImpl>(runtime, std::move(plan), std::move(shared),
                                                   std::move(target)));
}

}  // namespace

future<VmHandle> VmBuilder::build() && {
  return future<VmHandle>::ready(
      build_vm(runtime_, std::move(config_), std::move(boot_), kDefaults, std::nullopt));
}

template <bool HasCommand>
future<VmHandle> BasicSandboxBuilder<HasCommand>::build_sandbox(
    std::shared_ptr<detail::RuntimeImpl> runtime, VmConfig config, SandboxCommand command,
    std::optional<GuestAssets> assets) {
  if (!assets) {
    auto found = find_guest();
    if (!found.ok()) return future<VmHandle>::ready(found.error());
    assets = std::move(*found);
  }
  if (const auto least = guest::least_memory_mb(*assets); config.resources.memory_mb < least)
    return future<VmHandle>::ready(capsa::error(
        ErrorCode::InvalidConfig,
        "memory_mb: " + std::to_string(config.resources.memory_mb) +
            " was given; this guest does not start with less than " + std::to_string(least),
        "give it more, or use the small guest: capsa guest prepare --tuned"));
  LinuxDirectBootConfig boot(assets->kernel, assets->initrd);
  boot.acpi = assets->acpi;
  // The agent's own port, for clients of the unix socket beside ours.
  const bool has_port =
      std::any_of(config.vsock_ports.begin(), config.vsock_ports.end(),
                  [](const VsockPortConfig& one) { return one.port == sandbox::agent_port(); });
  if (!has_port) config.vsock_ports.push_back(VsockPortConfig::connect_auto(sandbox::agent_port()));
  const auto defaults = std::string(kDefaults) + " " + assets->command_line;
  auto built = build_vm(runtime, std::move(config), std::move(boot), defaults, std::move(command));
  if (!built.ok()) return future<VmHandle>::ready(built.error());

  // A sandbox has nothing to be done between building and starting it.
  promise<VmHandle> p(runtime->post());
  const auto& impl = detail::HandleAccess::impl(*built);
  impl->target().template ask_then<void>(
      impl->limit(detail::kPatience),
      [p, vm = *built](const result<void>& started) {
        if (started.ok())
          p.set(vm);
        else
          p.set(started.error());
      },
      actors::start_atom_v);
  return p.get_future();
}

template class BasicSandboxBuilder<true>;
template class BasicSandboxBuilder<false>;

}  // namespace capsa
