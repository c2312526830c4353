#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>

#include <backends/kvm_device.hpp>
#include <cerrno>
#include <fstream>
#include <sstream>
#include <string>

namespace capsa::hypervisor {

namespace {

/// Whether a flag of Intel's or AMD's extension is among those of the first processor. True where
/// the file cannot be read: then only KVM itself can tell.
bool has_virtualization(const std::filesystem::path& cpuinfo) {
  std::ifstream lines(cpuinfo);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("flags")) continue;
    std::istringstream words(line);
    for (std::string word; words >> word;)
      if (word == "vmx" || word == "svm") return true;
    return false;
  }
  return true;
}

}  // namespace

result<UniqueFd> open_kvm(const std::filesystem::path& device) {
  UniqueFd opened(::open(device.c_str(), O_RDWR | O_CLOEXEC));
  if (!opened) {
    const int reason = errno;
    if (reason == ENOENT)
      return error(ErrorCode::BackendUnavailable, "there is no " + device.string(),
                   "turn virtualization on in the firmware, or nested virtualization on for this "
                   "machine, and load kvm_intel or kvm_amd");
    if (reason == EACCES || reason == EPERM)
      return error(ErrorCode::PermissionDenied, "this user may not open " + device.string(),
                   "join the group kvm: sudo usermod -aG kvm \"$USER\", then log in again");
    return error_from_errno(reason, "open " + device.string());
  }
  if (::ioctl(opened.get(), KVM_GET_API_VERSION, 0) != KVM_API_VERSION)
    return error(ErrorCode::BackendUnavailable, device.string() + " is not a usable KVM device");
  return opened;
}

result<void> probe_kvm(const std::filesystem::path& device, const std::filesystem::path& cpuinfo) {
  const auto opened = open_kvm(device);
  if (!opened) return opened.error();
  if (!has_virtualization(cpuinfo))
    return error(ErrorCode::BackendUnavailable,
                 device.string() +
                     " runs guests in software here: the processor has neither vmx "
                     "nor svm",
                 "QEMU's emulation is faster; choose Backend::Kvm to use it all the same");
  return {};
}

}  // namespace capsa::hypervisor
