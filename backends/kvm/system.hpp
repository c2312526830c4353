#pragma once

#include <linux/kvm.h>

#include <capsa/detail/unique_fd.hpp>
#include <capsa/result.hpp>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <vector>

namespace capsa::kvm {

/// The host's KVM: what it can do, and what its CPUs have. Each call opens /dev/kvm anew; immutable
/// afterwards.
class KvmSystem {
 public:
  /// BackendUnavailable or PermissionDenied where the device cannot be used, UnsupportedFeature
  /// where the kernel is too old for this machine (5.2 has all that is needed).
  static result<KvmSystem> open(const std::filesystem::path& device = "/dev/kvm");

  /// KVM_CHECK_EXTENSION: 0 where `capability` is not known.
  int check(int capability) const;
  std::size_t vcpu_mmap_size() const noexcept { return vcpu_mmap_size_; }
  /// KVM_GET_SUPPORTED_CPUID.
  const std::vector<kvm_cpuid_entry2>& supported_cpuid() const noexcept { return cpuid_; }
  int fd() const noexcept { return fd_.get(); }

 private:
  explicit KvmSystem(UniqueFd fd) : fd_(std::move(fd)) {}
  result<void> read_cpuid();

  UniqueFd fd_;
  std::size_t vcpu_mmap_size_ = 0;
  std::vector<kvm_cpuid_entry2> cpuid_;
};

}  // namespace capsa::kvm
