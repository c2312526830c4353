#include <fcntl.h>
#include <linux/kvm.h>
#include <sys/ioctl.h>

#include <backends/kvm_device.hpp>
#include <cerrno>

namespace capsa::hypervisor {

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

result<void> probe_kvm(const std::filesystem::path& device) {
  const auto opened = open_kvm(device);
  return opened ? result<void>() : result<void>(opened.error());
}

}  // namespace capsa::hypervisor
