#include <sys/ioctl.h>

#include <backends/kvm/layout.hpp>
#include <backends/kvm/vm.hpp>
#include <cerrno>
#include <string>

namespace capsa::kvm {
namespace {

result<void> call(int fd, unsigned long request, const void* argument, const char* name) {
  // KVM_CREATE_VM and its kin are interrupted by signals of the program that embeds us.
  while (::ioctl(fd, request, argument) < 0)
    if (errno != EINTR) return error_from_errno(errno, name);
  return {};
}

}  // namespace

result<KvmVm> KvmVm::create(const KvmSystem& system, bool with_pit) {
  int made = -1;
  while ((made = ::ioctl(system.fd(), KVM_CREATE_VM, 0)) < 0)
    if (errno != EINTR)
      return error_from_errno(errno, "KVM_CREATE_VM", "the host may be out of memory or VMs");
  KvmVm vm{UniqueFd(made)};
  // The host's performance counters are nobody's business in a guest; not every host can say so.
  kvm_enable_cap counters{};
  counters.cap = KVM_CAP_PMU_CAPABILITY;
  counters.args[0] = KVM_PMU_CAP_DISABLE;
  if (system.check(KVM_CAP_PMU_CAPABILITY) != 0) ::ioctl(made, KVM_ENABLE_CAP, &counters);
  // Both before the first vCPU. Intel CPUs need them for 16-bit code; AMD's ignore them.
  const std::uint64_t identity_map = kIdentityMapAddress;
  if (system.check(KVM_CAP_SET_IDENTITY_MAP_ADDR) != 0)
    if (auto set =
            call(made, KVM_SET_IDENTITY_MAP_ADDR, &identity_map, "KVM_SET_IDENTITY_MAP_ADDR");
        !set)
      return set.error();
  if (::ioctl(made, KVM_SET_TSS_ADDR, kTssAddress) != 0)
    return error_from_errno(errno, "KVM_SET_TSS_ADDR");
  if (::ioctl(made, KVM_CREATE_IRQCHIP, 0) != 0)
    return error_from_errno(errno, "KVM_CREATE_IRQCHIP");
  if (with_pit) {
    kvm_pit_config config{};
    config.flags = KVM_PIT_SPEAKER_DUMMY;
    if (auto pit = call(made, KVM_CREATE_PIT2, &config, "KVM_CREATE_PIT2"); !pit)
      return pit.error();
  }
  return vm;
}

result<void> KvmVm::set_memory(std::uint32_t slot, memory::GuestAddress address,
                               std::span<std::byte> host) const {
  const kvm_userspace_memory_region region{
      .slot = slot,
      .flags = 0,
      .guest_phys_addr = address,
      .memory_size = host.size(),
      .userspace_addr = reinterpret_cast<std::uintptr_t>(host.data())};
  return call(fd_.get(), KVM_SET_USER_MEMORY_REGION, &region, "KVM_SET_USER_MEMORY_REGION");
}

result<UniqueFd> KvmVm::create_vcpu(unsigned id) const {
  const int made = ::ioctl(fd_.get(), KVM_CREATE_VCPU, static_cast<unsigned long>(id));
  if (made < 0)
    return error_from_errno(errno, "KVM_CREATE_VCPU " + std::to_string(id),
                            "give the VM fewer cpus");
  return UniqueFd(made);
}

result<void> KvmVm::add_ioeventfd(int fd, memory::GuestAddress address, std::uint32_t value) const {
  kvm_ioeventfd event{};
  event.datamatch = value;
  event.addr = address;
  event.len = sizeof value;
  event.fd = fd;
  event.flags = KVM_IOEVENTFD_FLAG_DATAMATCH;
  return call(fd_.get(), KVM_IOEVENTFD, &event, "KVM_IOEVENTFD");
}

void KvmVm::set_line(unsigned line, bool high) const noexcept {
  kvm_irq_level level{};
  level.irq = line;
  level.level = high ? 1 : 0;
  ::ioctl(fd_.get(), KVM_IRQ_LINE, &level);
}

result<void> KvmVm::add_irqfd(int fd, unsigned line) const {
  kvm_irqfd irq{};
  irq.fd = static_cast<std::uint32_t>(fd);
  irq.gsi = line;
  return call(fd_.get(), KVM_IRQFD, &irq, "KVM_IRQFD");
}

}  // namespace capsa::kvm
