#include <fcntl.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <backends/kvm/assembly.hpp>
#include <backends/kvm/confinement.hpp>
#include <backends/kvm/cpu_state.hpp>
#include <backends/kvm/devices/serial.hpp>
#include <backends/kvm/layout.hpp>
#include <backends/kvm/tables/acpi.hpp>
#include <backends/kvm/tables/mp_table.hpp>
#include <cerrno>
#include <chrono>
#include <string>
#include <system_error>

// What the machine's first thread does, and a second one beside it, until the guest can run.
namespace capsa::kvm {
namespace {

using hypervisor::EndCause;
using hypervisor::MachineEnd;

// In the reserved BIOS area, behind every table.
constexpr GuestAddress kGenerationIdAddress = kAcpiAddress + kAcpiSize - 0x1000;

/// A transport as a device of the memory bus.
class MmioDevice final : public BusDevice {
 public:
  explicit MmioDevice(std::shared_ptr<virtio::mmio::Transport> transport)
      : transport_(std::move(transport)) {}
  void read(std::uint64_t offset, std::span<std::byte> out) override {
    transport_->read(offset, out);
  }
  void write(std::uint64_t offset, std::span<const std::byte> in) override {
    transport_->write(offset, in);
  }

 private:
  std::shared_ptr<virtio::mmio::Transport> transport_;
};

std::string words_for(EndCause cause) {
  switch (cause) {
    case EndCause::PowerOff:
      return "the guest powered off";
    case EndCause::Reset:
      return "the guest asked for a reset";
    case EndCause::Panic:
      return "the guest's kernel panicked";
    default:
      return "the guest ended";
  }
}

std::function<void()> edge_on(int fd) {
  return [fd] {
    const std::uint64_t one = 1;
    [[maybe_unused]] const auto n = ::write(fd, &one, sizeof one);
  };
}

result<UniqueFd> open_file(const std::filesystem::path& file, std::string_view what) {
  UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return error_from_errno(errno, "open the " + std::string(what) + " " + file.string());
  return fd;
}

}  // namespace

/// The guest's memory is filled while KVM makes its virtual machine and vCPUs: neither needs the
/// other, and each takes about as long.
result<void> Assembly::build() {
  result<void> loaded;
  std::optional<SmallThread> loader;
  try {
    loader.emplace([&] {
      loaded = do_all({&Assembly::build_memory, &Assembly::build_tables, &Assembly::load});
    });
  } catch (const std::system_error& e) {
    return error_from_errno(e.code().value(), "begin a thread to load the guest");
  }
  auto built = do_all({&Assembly::build_vm, &Assembly::build_platform, &Assembly::build_virtio,
                       &Assembly::build_vcpus});
  // For later, and now as there is to wait for the files anyway.
  prepare_confinement();
  loader->join();
  // What the user gave comes first: a kernel that is none, rather than a host that is out of VMs.
  if (!loaded) return loaded;
  return built ? do_all({&Assembly::put_together}) : built;
}

result<void> Assembly::do_all(std::initializer_list<Step> steps) {
  for (const auto step : steps) {
    if (over_.load(std::memory_order_acquire))
      return error(ErrorCode::VmEnded, "the machine was ended before it ran");
    if (auto done = (this->*step)(); !done) return done;
  }
  return {};
}

result<void> Assembly::build_vm() {
  auto system = KvmSystem::open();
  if (!system) return system.error();
  system_ = std::move(*system);
  const bool has_deadline = system_->check(KVM_CAP_TSC_DEADLINE_TIMER) != 0;
  // With a timer that counts in the CPU's own clock nothing has to be measured against the PIT.
  auto vm = KvmVm::create(*system_, !has_deadline);
  if (!vm) return vm.error();
  vm_ = std::move(*vm);
  return {};
}

result<void> Assembly::build_memory() {
  const auto ranges = ram_ranges(spec_.memory_mb);
  if (ranges.empty())
    return error(ErrorCode::InvalidConfig,
                 "memory_mb: " + std::to_string(spec_.memory_mb) + " given",
                 "use " + std::to_string(kMinMemoryMb) + " to " + std::to_string(kMaxMemoryMb));
  std::vector<memory::OwnRegion> regions;
  regions.reserve(ranges.size());
  for (const auto& range : ranges)
    regions.push_back({range.address, range.size});
  auto memory = memory::GuestMemory::allocate(regions);
  if (!memory) return memory.error();
  memory_ = std::move(*memory);
  return {};
}

/// The virtual machine gets its memory, and the first vCPU the place to begin.
result<void> Assembly::put_together() {
  std::uint32_t slot = 0;
  for (const auto& range : ram_ranges(spec_.memory_mb)) {
    const auto host = memory_->slice(range.address, range.size);
    if (!host) return error(ErrorCode::Internal, "guest memory is not in one piece");
    if (auto set = vm_->set_memory(slot++, range.address, *host); !set) return set;
  }
  for (const auto& transport : transports_)
    transport->set_memory(memory_);
  if (auto set = set_entry(vcpus_.front()->fd(), *entry_); !set) return set;
  vcpus_.front()->enter_thread();
  return {};
}

/// An eventfd that is an edge on this line.
result<UniqueFd> Assembly::interrupt_line(unsigned line) {
  UniqueFd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!fd) return error_from_errno(errno, "eventfd for an interrupt");
  if (auto added = vm_->add_irqfd(fd.get(), line); !added) return added.error();
  return fd;
}

result<void> Assembly::build_platform() {
  auto line = interrupt_line(kSerialLine);
  if (!line) return line.error();
  serial_line_ = std::move(*line);
  const GuestEnded ended = [this](EndCause cause) { end({cause, words_for(cause)}); };
  const auto now = [] {
    return static_cast<std::int64_t>(
        std::chrono::system_clock::to_time_t(std::chrono::system_clock::now()));
  };
  event_device_ =
      std::make_shared<EventDevice>([this](bool high) { vm_->set_line(kEventDeviceLine, high); });
  const bool added =
      port_bus_.add(
          kSerialPort, SerialPort::kPorts,
          std::make_shared<SerialPort>(std::move(serial_), edge_on(serial_line_.get()))) &&
      port_bus_.add(kRtcPort, RealTimeClock::kPorts, std::make_shared<RealTimeClock>(now)) &&
      port_bus_.add(kI8042Port, KeyboardController::kPorts,
                    std::make_shared<KeyboardController>(ended)) &&
      port_bus_.add(kPanicPort, PanicPort::kPorts, std::make_shared<PanicPort>(ended)) &&
      port_bus_.add(kSleepControlPort, PowerControl::kPorts,
                    std::make_shared<PowerControl>(ended)) &&
      memory_bus_.add(kEventDeviceAddress, kEventDeviceSize, event_device_);
  return added ? result<void>() : error(ErrorCode::Internal, "two devices have one address");
}

result<void> Assembly::build_virtio() {
  for (unsigned i = 0; i < transports_.size(); ++i) {
    const auto& transport = transports_[i];
    const VirtioSlot slot = virtio_slot(i);
    const auto queues = static_cast<virtio::QueueIndex>(transport->queues());
    for (virtio::QueueIndex queue = 0; queue < queues; ++queue)
      if (auto added = vm_->add_ioeventfd(transport->kick_fd(queue),
                                          slot.address + virtio::mmio::kNotifyOffset, queue);
          !added)
        return added;
    if (auto added = vm_->add_irqfd(transport->interrupt_fd(), slot.line); !added) return added;
    if (!memory_bus_.add(slot.address, slot.size, std::make_shared<MmioDevice>(transport)))
      return error(ErrorCode::Internal, "two devices have one address");
  }
  return {};
}

result<void> Assembly::build_tables() {
  if (!spec_.acpi) {
    const auto table = build_mp_table(spec_.cpus);
    if (!table) return table.error();
    if (!memory_->write(table->address, table->bytes))
      return error(ErrorCode::Internal, "the MP table does not lie in memory");
    return {};
  }
  MachineTables machine;
  machine.cpus = spec_.cpus;
  for (unsigned i = 0; i < transports_.size(); ++i)
    machine.virtio.push_back(virtio_slot(i));
  machine.generation_id = kGenerationIdAddress;
  const auto tables = build_acpi(machine);
  if (!tables) return tables.error();
  std::array<std::byte, 16> id{};
  if (::getentropy(id.data(), id.size()) != 0) return error_from_errno(errno, "getentropy");
  if (!memory_->write(kAcpiAddress, tables->bytes) || !memory_->write(kGenerationIdAddress, id))
    return error(ErrorCode::Internal, "the ACPI tables do not lie in memory");
  rsdp_ = tables->rsdp;
  return {};
}

result<void> Assembly::load() {
  const auto kernel = open_file(spec_.kernel, "guest kernel");
  if (!kernel) return kernel.error();
  UniqueFd initrd;
  if (!spec_.initrd.empty()) {
    auto opened = open_file(spec_.initrd, "initrd");
    if (!opened) return opened.error();
    initrd = std::move(*opened);
  }
  BootFiles files;
  files.kernel_fd = kernel->get();
  files.initrd_fd = initrd ? initrd.get() : -1;
  files.command_line = spec_.command_line;
  // Without ACPI the guest has nothing but its command line to find devices by.
  for (unsigned i = 0; !spec_.acpi && i < transports_.size(); ++i) {
    const VirtioSlot slot = virtio_slot(i);
    char text[64];
    std::snprintf(text, sizeof text, " virtio_mmio.device=%#llx@%#llx:%u",
                  static_cast<unsigned long long>(slot.size),
                  static_cast<unsigned long long>(slot.address), slot.line);
    files.command_line += text;
  }
  files.rsdp = rsdp_;
  files.memory_mb = spec_.memory_mb;
  files.fresh = true;
  const auto entry = load_linux(*memory_, files);
  if (!entry) return entry.error();
  entry_ = *entry;
  return {};
}

result<void> Assembly::build_vcpus() {
  CpuidOptions options;
  options.cpus = spec_.cpus;
  options.tsc_deadline = system_->check(KVM_CAP_TSC_DEADLINE_TIMER) != 0;
  options.nested = spec_.nested;
  for (unsigned i = 0; i < spec_.cpus; ++i) {
    auto fd = vm_->create_vcpu(i);
    if (!fd) return fd.error();
    options.index = i;
    if (auto set = set_up_vcpu(fd->get(), make_cpuid(system_->supported_cpuid(), options)); !set)
      return set;
    VcpuEvents events;
    events.ended = [this](MachineEnd how) { end(std::move(how)); };
    events.over = &over_;
    events.leaving = [this, i] { take_along(i); };
    auto vcpu = Vcpu::create(i, std::move(*fd), system_->vcpu_mmap_size(), memory_bus_, port_bus_,
                             loop_, std::move(events));
    if (!vcpu) return vcpu.error();
    const std::lock_guard lock(mutex_);
    vcpus_.push_back(std::move(*vcpu));
  }
  return {};
}

}  // namespace capsa::kvm
