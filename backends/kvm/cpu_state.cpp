#include <sys/ioctl.h>

#include <array>
#include <backends/kvm/cpu_state.hpp>
#include <backends/kvm/ioctl.hpp>
#include <cerrno>
#include <cstring>

namespace capsa::kvm {
namespace {

constexpr std::uint32_t kMsrMiscEnable = 0x1a0;
constexpr std::uint32_t kMsrMtrrDefaultType = 0x2ff;
constexpr std::uint64_t kFastStrings = 1;
// Memory type ranges on, everything write-back: a kernel that finds them off treats all memory as
// uncached.
constexpr std::uint64_t kMtrrOn = 1U << 11;
constexpr std::uint64_t kWriteBack = 6;

// Offsets of registers in the local APIC's page (Intel SDM volume 3, 11.4.1).
constexpr std::size_t kLapicLint0 = 0x350;
constexpr std::size_t kLapicLint1 = 0x360;
constexpr std::uint32_t kDeliverExternal = 7U << 8;
constexpr std::uint32_t kDeliverNmi = 4U << 8;

template <class T>
result<void> call(int fd, unsigned long request, T* argument, const char* name) {
  if (::ioctl(fd, request, argument) < 0) return error_from_errno(errno, name);
  return {};
}

result<void> set_cpuid(int fd, std::span<const kvm_cpuid_entry2> entries) {
  auto list = with_entries(ListHead{static_cast<std::uint32_t>(entries.size()), 0}, entries);
  return call(fd, kSetCpuid2, list.data(), "KVM_SET_CPUID2");
}

result<void> set_msrs(int fd) {
  constexpr std::array<kvm_msr_entry, 2> kEntries{{
      {kMsrMtrrDefaultType, 0, kMtrrOn | kWriteBack},
      {kMsrMiscEnable, 0, kFastStrings},
  }};
  auto msrs = with_entries(ListHead{kEntries.size(), 0}, std::span<const kvm_msr_entry>(kEntries));
  // Gives how many were set: it stops at one that the host does not know, and the last is Intel's.
  const int set = ::ioctl(fd, kSetMsrs, msrs.data());
  if (set < 0) return error_from_errno(errno, "KVM_SET_MSRS");
  return {};
}

result<void> set_lapic(int fd) {
  kvm_lapic_state lapic{};
  if (auto got = call(fd, KVM_GET_LAPIC, &lapic, "KVM_GET_LAPIC"); !got) return got;
  const auto put = [&](std::size_t offset, std::uint32_t delivery) {
    std::uint32_t value = 0;
    std::memcpy(&value, lapic.regs + offset, sizeof value);
    value = (value & ~0x700U) | delivery;
    std::memcpy(lapic.regs + offset, &value, sizeof value);
  };
  put(kLapicLint0, kDeliverExternal);
  put(kLapicLint1, kDeliverNmi);
  return call(fd, KVM_SET_LAPIC, &lapic, "KVM_SET_LAPIC");
}

kvm_segment segment(const Gdt& gdt, std::uint16_t selector) {
  const Segment from = segment_of(gdt, selector);
  kvm_segment out{};
  out.base = from.base;
  out.limit = from.limit;
  out.selector = from.selector;
  out.type = from.type;
  out.present = from.present ? 1 : 0;
  out.dpl = from.privilege;
  out.db = from.default_big ? 1 : 0;
  out.s = from.code_or_data ? 1 : 0;
  out.l = from.long_mode ? 1 : 0;
  out.g = from.granularity ? 1 : 0;
  out.avl = from.available ? 1 : 0;
  return out;
}

}  // namespace

result<void> set_up_vcpu(int vcpu_fd, std::span<const kvm_cpuid_entry2> cpuid) {
  if (auto set = set_cpuid(vcpu_fd, cpuid); !set) return set;
  if (auto set = set_msrs(vcpu_fd); !set) return set;
  kvm_fpu fpu{};
  fpu.fcw = 0x37f;  // as after FNINIT
  fpu.mxcsr = 0x1f80;
  if (auto set = call(vcpu_fd, KVM_SET_FPU, &fpu, "KVM_SET_FPU"); !set) return set;
  return set_lapic(vcpu_fd);
}

result<void> set_entry(int vcpu_fd, const EntryState& entry) {
  const Gdt gdt = make_gdt(entry.mode);
  kvm_sregs sregs{};
  if (auto got = call(vcpu_fd, KVM_GET_SREGS, &sregs, "KVM_GET_SREGS"); !got) return got;
  sregs.cs = segment(gdt, kCodeSelector);
  sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = segment(gdt, kDataSelector);
  sregs.tr = segment(gdt, kTaskSelector);
  sregs.gdt.base = kGdtAddress;
  sregs.gdt.limit = sizeof(gdt) - 1;
  sregs.idt.base = 0;
  sregs.idt.limit = 0;
  sregs.cr0 = entry.cr0;
  sregs.cr3 = entry.page_tables;
  sregs.cr4 = entry.cr4;
  sregs.efer = entry.efer;
  if (auto set = call(vcpu_fd, KVM_SET_SREGS, &sregs, "KVM_SET_SREGS"); !set) return set;
  kvm_regs regs{};
  regs.rflags = 2;
  regs.rip = entry.instruction_pointer;
  if (entry.mode == BootMode::Long64)
    regs.rsi = entry.start_info_or_params;
  else
    regs.rbx = entry.start_info_or_params;
  return call(vcpu_fd, KVM_SET_REGS, &regs, "KVM_SET_REGS");
}

}  // namespace capsa::kvm
