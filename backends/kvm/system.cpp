#include <sys/ioctl.h>

#include <algorithm>
#include <backends/kvm/ioctl.hpp>
#include <backends/kvm/system.hpp>
#include <backends/kvm_device.hpp>
#include <cerrno>
#include <cstring>
#include <string>

namespace capsa::kvm {
namespace {

// More entries than any CPU has leaves; KVM answers E2BIG where it is not enough.
constexpr std::uint32_t kMaxCpuidEntries = 256;

struct Needed {
  int capability;
  const char* name;
};
constexpr Needed kNeeded[] = {
    {KVM_CAP_IRQCHIP, "KVM_CAP_IRQCHIP"},
    {KVM_CAP_USER_MEMORY, "KVM_CAP_USER_MEMORY"},
    {KVM_CAP_SET_TSS_ADDR, "KVM_CAP_SET_TSS_ADDR"},
    {KVM_CAP_EXT_CPUID, "KVM_CAP_EXT_CPUID"},
    {KVM_CAP_MP_STATE, "KVM_CAP_MP_STATE"},
    {KVM_CAP_IRQFD, "KVM_CAP_IRQFD"},
    {KVM_CAP_IOEVENTFD, "KVM_CAP_IOEVENTFD"},
    {KVM_CAP_IMMEDIATE_EXIT, "KVM_CAP_IMMEDIATE_EXIT"},
};

}  // namespace

result<KvmSystem> KvmSystem::open(const std::filesystem::path& device) {
  auto opened = hypervisor::open_kvm(device);
  if (!opened) return opened.error();
  KvmSystem system(std::move(*opened));
  for (const auto& [capability, name] : kNeeded)
    if (system.check(capability) == 0)
      return error(ErrorCode::UnsupportedFeature, std::string("the host's KVM has no ") + name,
                   "use a newer kernel, or Backend::Qemu");
  const int size = ::ioctl(system.fd(), KVM_GET_VCPU_MMAP_SIZE, 0);
  if (size < 0) return error_from_errno(errno, "KVM_GET_VCPU_MMAP_SIZE");
  if (size < static_cast<int>(sizeof(kvm_run)))
    return error(ErrorCode::UnsupportedFeature, "the host's KVM maps less than a vCPU needs",
                 "use a newer kernel, or Backend::Qemu");
  system.vcpu_mmap_size_ = static_cast<std::size_t>(size);
  if (auto read = system.read_cpuid(); !read) return read.error();
  return system;
}

int KvmSystem::check(int capability) const {
  const int answer = ::ioctl(fd_.get(), KVM_CHECK_EXTENSION, capability);
  return answer < 0 ? 0 : answer;
}

result<void> KvmSystem::read_cpuid() {
  cpuid_.resize(kMaxCpuidEntries);
  auto buffer =
      with_entries(ListHead{kMaxCpuidEntries, 0}, std::span<const kvm_cpuid_entry2>(cpuid_));
  if (::ioctl(fd_.get(), kGetSupportedCpuid, buffer.data()) != 0)
    return error_from_errno(errno, "KVM_GET_SUPPORTED_CPUID");
  ListHead head;
  std::memcpy(&head, buffer.data(), sizeof head);
  cpuid_.resize(std::min(head.count, kMaxCpuidEntries));
  std::memcpy(cpuid_.data(), buffer.data() + sizeof head, cpuid_.size() * sizeof(kvm_cpuid_entry2));
  return {};
}

}  // namespace capsa::kvm
