#include <backends/kvm/boot/ram.hpp>
#include <backends/kvm/host.hpp>
#include <backends/kvm/system.hpp>
#include <backends/kvm_device.hpp>
#include <string>

namespace capsa::kvm {

result<void> check_host(std::uint64_t memory_mb) {
  if (memory_mb < kMinMemoryMb || memory_mb > kMaxMemoryMb)
    return error(ErrorCode::InvalidConfig,
                 "memory_mb: " + std::to_string(memory_mb) + " was given; the KVM backend takes " +
                     std::to_string(kMinMemoryMb) + " to " + std::to_string(kMaxMemoryMb),
                 "choose Backend::Qemu for more");
  const auto system = KvmSystem::open();
  return system ? result<void>() : result<void>(system.error());
}

result<void> recommend_host(std::uint64_t memory_mb) {
  if (auto usable = check_host(memory_mb); !usable) return usable;
  return hypervisor::probe_kvm();
}

}  // namespace capsa::kvm
