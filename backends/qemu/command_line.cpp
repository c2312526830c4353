#include <backends/qemu/command_line.hpp>
#include <utility>

namespace capsa::qemu {
namespace {

using hypervisor::DeviceSpec;
using hypervisor::FirmwareSpec;
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

result<void> check_firmware(const MachineSpec& spec) {
  if (spec.firmware->code.empty()) return invalid("firmware: no file given");
  if (has_nul(spec.firmware->code.native())) return invalid("firmware: the path holds a zero byte");
  if (spec.firmware->variables_fd < 0) return invalid("firmware: it has no variables");
  if (!spec.acpi) return invalid("acpi: off was given with firmware, which needs it");
  if (spec.kernel.empty() && spec.initrd.empty() && spec.command_line.empty()) return {};
  return invalid("kernel: given with firmware, which boots a disk");
}

result<void> check(const MachineSpec& spec) {
  if (spec.cpus == 0 || spec.cpus > kMaxCpus)
    return invalid("cpus: " + std::to_string(spec.cpus) + " given", "use 1 to 255");
  if (spec.memory_mb == 0) return invalid("memory_mb: 0 given", "use at least 32");
  if (spec.firmware) {
    if (auto checked = check_firmware(spec); !checked) return checked;
  } else if (spec.kernel.empty()) {
    return invalid("kernel: no file given");
  }
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
  // The number that a descriptor of ours has in QEMU.
  std::string inherit(int source) {
    const int number = kFirstFd + static_cast<int>(line_.fds.size());
    line_.fds.push_back({source, number});
    return std::to_string(number);
  }
  // A character device on an inherited, connected socket.
  void add_socket(const std::string& id, int source) {
    add("-chardev", "socket,id=" + id + ",fd=" + inherit(source));
  }
  CommandLine take() { return std::move(line_); }

 private:
  CommandLine line_;
};

std::string machine_type(const MachineSpec& spec) {
  // A crash of QEMU must not write the guest's memory to a core file.
  const std::string memory = ",memory-backend=mem,dump-guest-core=off";
  if (spec.firmware)
    return std::string("q35,smm=") + (spec.firmware->secure_boot ? "on" : "off") +
           ",sata=off,usb=off,vmport=off" + memory;
  // The interval timer and the old interrupt controller stay: without KVM's clock and with
  // neither, Linux hangs.
  return std::string("microvm,acpi=") + (spec.acpi ? "on" : "off") +
         ",pit=on,pic=on,rtc=on,isa-serial=on" + memory;
}

void add_firmware(Builder& to, const FirmwareSpec& firmware) {
  // Nobody is there to wake a machine that has gone to sleep.
  to.add("-global", "ICH9-LPC.disable_s3=1");
  to.add("-global", "ICH9-LPC.disable_s4=1");
  // Keeps the guest's kernel from writing to the flash behind the firmware's back.
  if (firmware.secure_boot) to.add("-global", "driver=cfi.pflash01,property=secure,value=on");
  to.add("-drive",
         "if=pflash,unit=0,format=raw,readonly=on,file=" + escape_option(firmware.code.native()));
  // Our own open file with our lock on it, of which QEMU's locks would take parts away.
  to.add("-add-fd", "set=0,fd=" + to.inherit(firmware.variables_fd));
  to.add("-drive",
         "if=pflash,unit=1,format=raw,auto-read-only=off,file.driver=file,file.locking=off,"
         "file.filename=/dev/fdset/0");
}

void add_machine(Builder& to, const MachineSpec& spec, Accelerator accelerator) {
  const std::string memory = std::to_string(spec.memory_mb) + "M";
  to.add("-name",
         "guest=" + escape_option(spec.name.empty() ? "capsa" : spec.name) + ",debug-threads=on");
  to.add("-M", machine_type(spec));
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
  if (spec.firmware) return add_firmware(to, *spec.firmware);
  // Without this the guest sees legacy (virtio 0.9) devices.
  to.add("-global", "virtio-mmio.force-legacy=false");
}

// A virtio device, on the bus that the machine has.
std::string on_bus(const MachineSpec& spec, std::string model) {
  return std::move(model) + (spec.firmware ? "-pci,disable-legacy=on" : "-device");
}

void add_network_card(Builder& to, const MachineSpec& spec, const DeviceSpec& device,
                      const std::string& id, Accelerator accelerator) {
  const bool several = device.queues > 1;
  to.add("-netdev", "vhost-user,id=net-" + id + ",chardev=" + id +
                        (several ? ",queues=" + std::to_string(device.queues) : ""));
  std::string model = on_bus(spec, "virtio-net");
  // Without its option ROM: nothing here boots from a network.
  if (spec.firmware) model += ",romfile=";
  // QEMU 7.2 forgets that there may be no KVM when a guest unmasks an interrupt (MSI-X) of a card
  // that is served elsewhere, and crashes.
  if (spec.firmware && accelerator == Accelerator::Tcg) model += ",vectors=0";
  to.add("-device", model + ",netdev=net-" + id + ",mac=" + escape_option(device.tag) +
                        (several ? ",mq=on" : ""));
}

void add_disk(Builder& to, const MachineSpec& spec, const DeviceSpec& device, const std::string& id,
              bool first) {
  // On the machine's own bus it has a name without a suffix.
  const std::string model = spec.firmware ? on_bus(spec, "vhost-user-blk") : "vhost-user-blk";
  // Firmware that is told of one disk to boot boots no other, whatever they hold.
  to.add("-device", model + ",chardev=" + id + ",num-queues=" + std::to_string(device.queues) +
                        (spec.firmware && first ? ",bootindex=0" : ""));
}

void add_devices(Builder& to, const MachineSpec& spec, Accelerator accelerator) {
  if (spec.serial_fd >= 0) {
    to.add_socket("serial", spec.serial_fd);
    to.add("-serial", "chardev:serial");
  }
  if (spec.console_fd >= 0) {
    to.add_socket("console", spec.console_fd);
    to.add("-device", on_bus(spec, "virtio-serial"));
    to.add("-device", "virtconsole,chardev=console");
  }
  to.add("-device", on_bus(spec, "virtio-rng"));
  // On the ISA bus, so it takes no virtio slot.
  to.add("-device", "pvpanic");
  std::size_t index = 0;
  bool has_disk = false;
  for (const auto& device : spec.devices) {
    const std::string id = "vhost" + std::to_string(index++);
    if (device.socket.empty())
      to.add_socket(id, device.fd);
    else
      to.add("-chardev", "socket,id=" + id + ",path=" + escape_option(device.socket.native()));
    switch (device.kind) {
      case DeviceSpec::Kind::Fs:
        // Never had a legacy interface.
        to.add("-device", std::string("vhost-user-fs-") + (spec.firmware ? "pci" : "device") +
                              ",chardev=" + id + ",tag=" + escape_option(device.tag));
        break;
      case DeviceSpec::Kind::Vsock:
        to.add("-device", on_bus(spec, "vhost-user-vsock") + ",chardev=" + id);
        break;
      case DeviceSpec::Kind::Net:
        add_network_card(to, spec, device, id, accelerator);
        break;
      case DeviceSpec::Kind::Block:
        add_disk(to, spec, device, id, !std::exchange(has_disk, true));
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
  add_devices(line, spec, accelerator);
  if (!spec.firmware) {
    line.add("-kernel", spec.kernel.native());
    if (!spec.initrd.empty()) line.add("-initrd", spec.initrd.native());
    line.add("-append", spec.command_line);
  }
  return line.take();
}

}  // namespace capsa::qemu
