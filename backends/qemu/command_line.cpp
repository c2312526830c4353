#include <backends/qemu/command_line.hpp>

namespace capsa::qemu {
namespace {

using hypervisor::DeviceSpec;
using hypervisor::MachineSpec;

// 0 to 2 are the standard streams.
constexpr int kFirstFd = 3;

// An 8-bit APIC id without its broadcast value.
constexpr unsigned kMaxCpus = 255;

// virtio 1.2, 5.11.4: the tag field of a file system device has 36 bytes.
constexpr std::size_t kMaxFsTag = 36;

// With ACPI off QEMU itself adds one "virtio_mmio.device=512@0xfeb00e00:12" for each device
// (hw/i386/microvm.c reserves 64 bytes for it).
constexpr std::size_t kMmioArgument = 64;

// Host memory for translated code, in MiB. QEMU's default is 1 GiB per machine, which is a memory
// bomb with many VMs.
constexpr const char* kTranslationCache = "64";

error invalid(std::string message, std::string hint = {}) {
  return {ErrorCode::InvalidConfig, std::move(message), std::move(hint)};
}

bool has_nul(std::string_view text) {
  return text.find('\0') != std::string_view::npos;
}

result<void> check_devices(const MachineSpec& spec) {
  for (const auto& device : spec.devices) {
    if (device.fd < 0 && device.socket.empty())
      return invalid("devices: a vhost-user device without a socket");
    if (device.kind != DeviceSpec::Kind::Fs) continue;
    if (device.tag.empty() || device.tag.size() > kMaxFsTag || has_nul(device.tag))
      return invalid("share tag \"" + device.tag + "\" cannot be told to the guest",
                     "use 1 to 36 bytes");
  }
  const auto needed = virtio_slots_needed(spec);
  const auto slots = spec.acpi ? kVirtioSlotsAcpi : kVirtioSlots;
  if (needed > slots)
    return invalid("the machine has " + std::to_string(slots) + " virtio slots and " +
                       std::to_string(needed) + " are needed",
                   spec.acpi ? "use fewer shares or disks"
                             : "use fewer shares or disks, or a guest kernel with ACPI");
  return {};
}

result<void> check(const MachineSpec& spec) {
  if (spec.cpus == 0 || spec.cpus > kMaxCpus)
    return invalid("cpus: " + std::to_string(spec.cpus) + " given", "use 1 to 255");
  if (spec.memory_mb == 0) return invalid("memory_mb: 0 given", "use at least 32");
  if (spec.kernel.empty()) return invalid("kernel: no file given");
  for (const std::string_view text :
       {std::string_view(spec.name), std::string_view(spec.command_line),
        std::string_view(spec.kernel.native()), std::string_view(spec.initrd.native())}) {
    if (has_nul(text)) return invalid("a name, path or command line holds a zero byte");
  }
  const std::size_t added = spec.acpi ? 0 : kMmioArgument * virtio_slots_needed(spec);
  if (spec.command_line.size() + added > kMaxKernelCommandLine)
    return invalid(
        "the kernel command line has " + std::to_string(spec.command_line.size()) + " bytes",
        "the guest's kernel takes " + std::to_string(kMaxKernelCommandLine - added));
  return check_devices(spec);
}

// Collects arguments and gives out descriptor numbers.
class Builder {
 public:
  void add(std::string option) { line_.arguments.push_back(std::move(option)); }
  void add(std::string option, std::string value) {
    add(std::move(option));
    add(std::move(value));
  }
  // A character device on an inherited, connected socket.
  void add_socket(const std::string& id, int source) {
    const int number = kFirstFd + static_cast<int>(line_.fds.size());
    line_.fds.push_back({source, number});
    add("-chardev", "socket,id=" + id + ",fd=" + std::to_string(number));
  }
  CommandLine take() { return std::move(line_); }

 private:
  CommandLine line_;
};

void add_machine(Builder& to, const MachineSpec& spec, Accelerator accelerator) {
  const std::string memory = std::to_string(spec.memory_mb) + "M";
  to.add("-name",
         "guest=" + escape_option(spec.name.empty() ? "capsa" : spec.name) + ",debug-threads=on");
  // The interval timer and the old interrupt controller stay: without KVM's clock and with
  // neither, Linux hangs. A crash of QEMU must not write the guest's memory to a core file.
  to.add("-M", std::string("microvm,acpi=") + (spec.acpi ? "on" : "off") +
                   ",pit=on,pic=on,rtc=on,isa-serial=on,memory-backend=mem,dump-guest-core=off");
  if (accelerator == Accelerator::Tcg) {
    to.add("-accel", std::string("tcg,thread=multi,tb-size=") + kTranslationCache);
    // Five-level paging, which nothing here needs, made plain "max" hang in some runs. Inner guests
    // hang on any "max" (it has a virtual interrupt flag); a plain EPYC has SVM and runs them.
    // Without XSAVE: emulated SVM does not tell a hypervisor that its guest switched AVX on, so the
    // guest is told too small a size for that state and its kernel overwrites what lies behind.
    to.add("-cpu", spec.nested ? "EPYC,-xsave" : "max,la57=off");
  } else {
    to.add("-accel", "kvm");
    to.add("-cpu", "host");
  }
  to.add("-smp", std::to_string(spec.cpus));
  to.add("-m", memory);
  // Shared: vhost-user devices map it from our process.
  to.add("-object", "memory-backend-memfd,id=mem,size=" + memory + ",share=on");
  // Without this the guest sees legacy (virtio 0.9) devices.
  to.add("-global", "virtio-mmio.force-legacy=false");
}

void add_network_card(Builder& to, const DeviceSpec& device, const std::string& id) {
  const bool several = device.queues > 1;
  to.add("-netdev", "vhost-user,id=net-" + id + ",chardev=" + id +
                        (several ? ",queues=" + std::to_string(device.queues) : ""));
  // Without its option ROM: nothing here boots from a network.
  to.add("-device", "virtio-net-device,netdev=net-" + id + ",mac=" + escape_option(device.tag) +
                        (several ? ",mq=on" : ""));
}

void add_devices(Builder& to, const MachineSpec& spec) {
  if (spec.serial_fd >= 0) {
    to.add_socket("serial", spec.serial_fd);
    to.add("-serial", "chardev:serial");
  }
  if (spec.console_fd >= 0) {
    to.add_socket("console", spec.console_fd);
    to.add("-device", "virtio-serial-device");
    to.add("-device", "virtconsole,chardev=console");
  }
  to.add("-device", "virtio-rng-device");
  // On the ISA bus, so it takes no virtio slot.
  to.add("-device", "pvpanic");
  std::size_t index = 0;
  for (const auto& device : spec.devices) {
    const std::string id = "vhost" + std::to_string(index++);
    if (device.socket.empty())
      to.add_socket(id, device.fd);
    else
      to.add("-chardev", "socket,id=" + id + ",path=" + escape_option(device.socket.native()));
    switch (device.kind) {
      case DeviceSpec::Kind::Fs:
        to.add("-device",
               "vhost-user-fs-device,chardev=" + id + ",tag=" + escape_option(device.tag));
        break;
      case DeviceSpec::Kind::Vsock:
        to.add("-device", "vhost-user-vsock-device,chardev=" + id);
        break;
      case DeviceSpec::Kind::Net:
        add_network_card(to, device, id);
        break;
      case DeviceSpec::Kind::Block:
        to.add("-device",
               "vhost-user-blk,chardev=" + id + ",num-queues=" + std::to_string(device.queues));
        break;
    }
  }
}

}  // namespace

std::string escape_option(std::string_view value) {
  std::string escaped;
  escaped.reserve(value.size());
  for (const char c : value) {
    escaped += c;
    if (c == ',') escaped += c;
  }
  return escaped;
}

std::size_t virtio_slots_needed(const MachineSpec& spec) {
  constexpr std::size_t kRng = 1;
  return kRng + (spec.console_fd >= 0 ? 1 : 0) + spec.devices.size();
}

result<CommandLine> build_command_line(const MachineSpec& spec, Accelerator accelerator) {
  if (auto checked = check(spec); !checked) return checked.error();
  Builder line;
  add_machine(line, spec, accelerator);
  line.add("-nodefaults");
  line.add("-no-user-config");
  line.add("-display", "none");
  line.add("-no-reboot");
  line.add("-no-shutdown");
  line.add("-S");
  line.add("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
  line.add_socket("qmp", kControlSocket);
  line.add("-mon", "chardev=qmp,mode=control");
  add_devices(line, spec);
  line.add("-kernel", spec.kernel.native());
  if (!spec.initrd.empty()) line.add("-initrd", spec.initrd.native());
  line.add("-append", spec.command_line);
  return line.take();
}

}  // namespace capsa::qemu
