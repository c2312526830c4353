#include <memory>
#include <tools/cli/commands.hpp>
#include <tools/cli/console_session.hpp>
#include <tools/cli/network_options.hpp>
#include <tools/cli/options.hpp>
#include <tools/cli/report.hpp>

namespace capsa::cli {
namespace {

constexpr const char* kFooter = R"(
On a terminal, keys go to the guest and Ctrl-] ends the VM. Without one, standard input and output
are the console. The kernel's command line is the backend's, with --append added, or --cmdline.

With --uefi the console is the guest's virtio console (console=hvc0 in its boot loader's
configuration). A reboot ends the VM, as it does with a kernel.

Exit status: 0 when the guest powered off, 125 when the VM failed; its last lines are then shown.

Examples:
  capsa vm --kernel vmlinux --initrd initrd.img --memory 1G
  capsa vm --kernel vmlinuz --initrd initrd.img --share ./src:src --append 'rdinit=/bin/sh quiet'
  capsa vm --kernel vmlinux --initrd initrd.img --vsock-listen 1024:/tmp/guest.sock
  capsa vm --uefi --disk debian.qcow2 --efi-vars debian.vars --memory 2G)";

/// As written; checked when the command line is whole.
struct Words {
  BootWords boot;
  unsigned cpus = 1;
  std::string memory = "512";
  std::vector<std::string> shares;
  std::vector<std::string> disks;
  bool nested = false;
  NetworkWords network;
  std::vector<std::string> listen;
  std::vector<std::string> connect;
  std::vector<std::string> append;
  std::optional<std::string> command_line;
  std::string backend = "auto";
  std::string accelerator = "auto";
  int verbosity = 0;
};

result<void> add_ports(const std::vector<std::string>& words, bool connects, VmConfig& vm) {
  for (const auto& word : words) {
    auto port = parse_vsock(word, connects);
    if (!port) return port.error();
    vm.vsock_ports.push_back(*std::move(port));
  }
  return {};
}

result<VmOptions> understand(const Words& words) {
  VmOptions options;
  options.vm.resources.cpus = words.cpus;
  const auto memory = parse_memory(words.memory);
  if (!memory) return memory.error();
  options.vm.resources.memory_mb = *memory;
  for (const auto& word : words.shares) {
    auto share = parse_share(word);
    if (!share) return share.error();
    options.vm.shares.push_back(*std::move(share));
  }
  for (const auto& word : words.disks) {
    auto disk = parse_disk("--disk", word);
    if (!disk) return disk.error();
    options.vm.disks.push_back(*std::move(disk));
  }
  auto boot = parse_boot(words.boot, options.vm.disks);
  if (!boot) return boot.error();
  options.boot = *std::move(boot);
  options.vm.nested = words.nested;
  auto network = parse_network(words.network);
  if (!network) return network.error();
  options.vm.network = *std::move(network);
  if (auto added = add_ports(words.listen, false, options.vm); !added) return added.error();
  if (auto added = add_ports(words.connect, true, options.vm); !added) return added.error();
  for (const auto& line : words.append) {
    auto added = split_words(line);
    if (!added) return added.error();
    options.arguments.insert(options.arguments.end(), added->begin(), added->end());
  }
  options.command_line = words.command_line;
  const auto backend = parse_backend(words.backend);
  if (!backend) return backend.error();
  options.vm.backend = *backend;
  const auto accelerator = parse_accelerator(words.accelerator);
  if (!accelerator) return accelerator.error();
  options.vm.accelerator = *accelerator;
  if (words.verbosity > 0)
    options.log_level = words.verbosity > 1 ? LogLevel::Debug : LogLevel::Info;
  return options;
}

}  // namespace

void add_vm(CLI::App& app, Action& action) {
  auto* command =
      app.add_subcommand("vm", "Boot a Linux kernel or a disk, console on the terminal");
  command->footer(kFooter);
  auto words = std::make_shared<Words>();
  auto* kernel =
      command
          ->add_option("--kernel", words->boot.kernel, "ELF vmlinux with a PVH entry, or bzImage")
          ->type_name("FILE");
  auto* initrd =
      command->add_option("--initrd", words->boot.initrd, "Initial RAM disk")->type_name("FILE");
  auto* uefi = command->add_flag("--uefi", words->boot.uefi,
                                 "Instead: boot the first --disk by UEFI firmware (OVMF)");
  uefi->excludes(kernel)->excludes(initrd);
  command
      ->add_option("--efi-vars", words->boot.efi_vars,
                   "Keep the firmware's variables in this file, which is made where there is none")
      ->type_name("FILE");
  command->add_flag("--secure-boot", words->boot.secure_boot,
                    "Firmware that starts only what its keys have signed");
  command->add_option("--cpus", words->cpus, "Virtual CPUs, 1 to 255")->capture_default_str();
  command->add_option("--memory", words->memory, "Memory in MiB, or with a suffix: 2G")
      ->capture_default_str()
      ->type_name("SIZE");
  command
      ->add_option("--share", words->shares,
                   "Share a directory of this host: mount -t virtiofs TAG DIR in the guest; "
                   "read-only by default")
      ->type_name("HOST:TAG[:ro|rw]")
      ->allow_extra_args(false);
  command
      ->add_option("--vsock-listen", words->listen,
                   "Unix socket for connections that the guest makes to this vsock port")
      ->type_name("PORT[:PATH]")
      ->allow_extra_args(false);
  command
      ->add_option("--vsock-connect", words->connect,
                   "Unix socket whose connections go to this vsock port of the guest")
      ->type_name("PORT[:PATH]")
      ->allow_extra_args(false);
  auto* append =
      command->add_option("--append", words->append, "Words to add to the kernel's command line")
          ->type_name("'WORD WORD=VALUE ...'")
          ->allow_extra_args(false);
  append->excludes(uefi);
  command
      ->add_option("--cmdline", words->command_line,
                   "Replaces the kernel's command line, but for what the machine itself needs")
      ->type_name("LINE")
      ->excludes(append)
      ->excludes(uefi);
  command
      ->add_flag("--no-acpi", words->boot.no_acpi,
                 "No ACPI; the kernel needs CONFIG_VIRTIO_MMIO_CMDLINE_DEVICES")
      ->excludes(uefi);
  command
      ->add_option("--root-disk", words->boot.root_disk,
                   "The same as vda, before the others, and the kernel's root=")
      ->type_name("IMAGE[:ro|rw|overlay][:raw|qcow2]")
      ->excludes(uefi);
  command
      ->add_option("--disk", words->disks,
                   "Attach an image, block device or nbd:// disk: vda, vdb, ... in the guest")
      ->type_name("IMAGE[:ro|rw|overlay][:raw|qcow2]")
      ->allow_extra_args(false);
  add_network_options(*command, words->network);
  command->add_flag("--nested", words->nested,
                    "Give the guest a CPU that can run virtual machines of its own");
  command->add_flag("-v,--verbose", words->verbosity, "Log what happens; twice for more");
  command->add_option("--backend", words->backend, "auto, kvm (in this process) or qemu")
      ->capture_default_str();
  command->add_option("--accel", words->accelerator, "auto, kvm or tcg")->capture_default_str();
  command->callback([&action, words] {
    action = [words] {
      auto options = understand(*words);
      if (!options) return report(options.error());
      return ConsoleSession(*std::move(options)).run();
    };
  });
}

}  // namespace capsa::cli
