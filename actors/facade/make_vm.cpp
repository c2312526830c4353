#include <actors/facade/image_sandbox.hpp>
#include <actors/facade/make_vm.hpp>
#include <actors/guest/assets.hpp>
#include <actors/guest/tsc.hpp>
#include <actors/network/network_host.hpp>
#include <actors/protocol/spawn.hpp>
#include <actors/values/validate.hpp>
#include <actors/vm/vm.hpp>
#include <backends/firmware/variable_store.hpp>
#include <backends/kvm/host.hpp>

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <net/host_nat/host_facts.hpp>

namespace capsa::facade {

namespace {

using detail::RuntimeImpl;

// A panic or a reboot ends the machine (it is never rebooted in place), by triple fault, which
// every kernel can do. The serial port has the kernel's log; the virtio console, where there is
// one, is /dev/console.
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
  const bool uefi = std::holds_alternative<UefiBootConfig>(plan.boot);
  if (uefi && wanted == Backend::Kvm)
    return capsa::error(ErrorCode::UnsupportedFeature,
                        "boot: a machine in the program has no UEFI firmware",
                        "use Backend::Qemu (CAPSA_BACKEND=qemu), or boot a kernel with "
                        "LinuxDirectBootConfig");
  const bool may_be_kvm =
      wanted == Backend::Kvm ||
      (wanted == Backend::Auto && config.accelerator == Accelerator::Auto && !uefi);
  if (may_be_kvm) {
    const auto usable = wanted == Backend::Kvm ? kvm::check_host(config.resources.memory_mb)
                                               : kvm::recommend_host(config.resources.memory_mb);
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

/// The firmware that boots the disk, where it is a disk that is booted.
result<void> find_firmware(vm::VmPlan& plan) {
  const auto* uefi = std::get_if<UefiBootConfig>(&plan.boot);
  if (uefi == nullptr) return {};
  auto found = firmware::find_ovmf(uefi->secure_boot);
  if (!found.ok()) return found.error();
  plan.firmware = std::move(*found);
  if (!uefi->efi_variable_store) return {};
  return firmware::check_variable_store(*uefi->efi_variable_store, *plan.firmware,
                                        uefi->create_variable_store);
}

bool is_emulated(const vm::VmPlan& plan) {
  return plan.backend == Backend::Qemu && (!plan.qemu.kvm || plan.accelerator == Accelerator::Tcg);
}

/// Boots the kernel with its whole command line, which is empty where firmware boots a disk.
result<std::string> command_line(const vm::VmPlan& plan, std::string defaults) {
  const auto* kernel = std::get_if<LinuxDirectBootConfig>(&plan.boot);
  if (kernel == nullptr) {
    if (plan.config.command_line == KernelCommandLine()) return std::string();
    return capsa::error(
        ErrorCode::UnsupportedFeature, "command_line: a disk that firmware boots has its own",
        "change it in the boot loader's configuration on the disk, or boot a kernel "
        "with LinuxDirectBootConfig");
  }
  if (is_emulated(plan)) defaults += emulated_clock();
  // A machine of ours has the keyboard controller that resets a PC, so that a triple fault is what
  // it looks like: a crash.
  if (plan.backend == Backend::Kvm) defaults += " reboot=k";
  if (plan.config.console) defaults += " console=hvc0";
  if (kernel->root_disk) defaults += root_argument(*kernel->root_disk);
  return plan.config.command_line.render(defaults);
}

ValidateContext context_of(const vm::VmPlan& plan, bool sandbox) {
  auto context = host_context();
  context.sandbox = sandbox;
  context.image = plan.image.has_value();
  if (const auto* kernel = std::get_if<LinuxDirectBootConfig>(&plan.boot)) context.boot = *kernel;
  if (const auto* uefi = std::get_if<UefiBootConfig>(&plan.boot)) context.uefi = *uefi;
  return context;
}

}  // namespace

std::string_view default_arguments() {
  return kDefaults;
}

result<VmRequest> sandbox_request(VmConfig config, SandboxConfig sandbox) {
  if (!sandbox.assets) {
    auto found = find_guest();
    if (!found.ok()) return found.error();
    sandbox.assets = std::move(*found);
  }
  const auto& assets = *sandbox.assets;
  if (const auto least = guest::least_memory_mb(assets); config.resources.memory_mb < least)
    return capsa::error(ErrorCode::InvalidConfig,
                        "memory_mb: " + std::to_string(config.resources.memory_mb) +
                            " was given; this guest does not start with less than " +
                            std::to_string(least),
                        "give it more, or use the small guest: capsa guest prepare --tuned");
  LinuxDirectBootConfig boot(assets.kernel, assets.initrd);
  boot.acpi = assets.acpi;
  // The agent's own port, for clients of the unix socket beside ours.
  const bool has_port =
      std::any_of(config.vsock_ports.begin(), config.vsock_ports.end(),
                  [](const VsockPortConfig& one) { return one.port == sandbox::agent_port(); });
  if (!has_port) config.vsock_ports.push_back(VsockPortConfig::connect_auto(sandbox::agent_port()));
  config.agent = true;
  VmRequest out;
  if (sandbox.image) {
    auto root = use_image(*sandbox.image, sandbox.command.exec);
    if (!root.ok()) return root.error();
    out.image = std::move(*root);
  }
  out.config = std::move(config);
  out.boot = std::move(boot);
  out.defaults = std::string(kDefaults) + " " + assets.command_line;
  out.sandbox = std::move(sandbox.command);
  return out;
}

result<MadeVm> make_vm(Services& services, const RuntimeImpl::AddVm& add, VmRequest request) {
  std::error_code ignored;
  const auto cwd = std::filesystem::current_path(ignored);

  auto plan = std::make_shared<vm::VmPlan>();
  plan->id = std::to_string(services.next_vm());
  if (request.config.name.empty()) request.config.name = "vm-" + plan->id;
  plan->boot =
      std::visit([&cwd](auto boot) -> BootConfig { return normalize(std::move(boot), cwd); },
                 std::move(request.boot));
  plan->config = normalize(std::move(request.config), cwd);
  plan->sandbox = std::move(request.sandbox);
  plan->image = std::move(request.image);

  const auto context = context_of(*plan, plan->sandbox.has_value());
  if (const auto valid = validate(plan->config, context); !valid.ok()) return valid.error();
  if (plan->runs_command())
    if (const auto valid = validate(plan->sandbox->exec); !valid.ok()) return valid.error();

  if (plan->config.network.is<NetworkMode::Nat>())
    if (const auto usable = net::host_nat::check(net::host_nat::host_facts()); !usable.ok())
      return usable.error();

  if (const auto chosen = choose_backend(*plan, services); !chosen.ok()) return chosen.error();
  if (const auto there = find_firmware(*plan); !there.ok()) return there.error();
  auto line = command_line(*plan, std::move(request.defaults));
  if (!line.ok()) return line.error();
  plan->command_line = std::move(*line);

  plan->guest_cid = services.next_cid();
  plan->mac = services.network().next_mac();
  complete(plan->config, services.runtime_dir.path() / ("vm-" + plan->id));

  auto shared = std::make_shared<vm::VmShared>();
  auto actor = add(plan->config.name, [&] {
    return caf::actor_cast<caf::strong_actor_ptr>(
        protocol::spawn_state<protocol::VmUnit, vm::VmState>(
            services.system, std::ref(services), std::shared_ptr<const vm::VmPlan>(plan), shared));
  });
  if (!actor) return shut_down();
  return MadeVm{std::move(plan), std::move(shared), std::move(actor)};
}

VmHandle handle_of(const std::shared_ptr<detail::RuntimeImpl>& runtime, MadeVm made) {
  auto target = Target::make(*made.actor->home_system, made.actor, runtime->post());
  return VmHandle(std::make_shared<detail::VmImpl>(runtime, std::move(made.plan),
                                                   std::move(made.shared), std::move(target)));
}

result<VmHandle> make_vm(const std::shared_ptr<detail::RuntimeImpl>& runtime, VmRequest request) {
  const auto services = runtime->services();
  if (!services) return shut_down();
  auto made = make_vm(*services, runtime->vm_adder(), std::move(request));
  if (!made.ok()) return made.error();
  return handle_of(runtime, std::move(*made));
}

future<VmHandle> start_vm(const VmHandle& vm) {
  const auto& impl = detail::HandleAccess::impl(vm);
  promise<VmHandle> p(impl->target().post());
  impl->target().ask_then<void>(
      impl->limit(detail::kPatience),
      [p, vm](const result<void>& started) {
        if (started.ok())
          p.set(vm);
        else
          p.set(started.error());
      },
      actors::start_atom_v);
  return p.get_future();
}

}  // namespace capsa::facade
