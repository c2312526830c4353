#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <actors/values/text.hpp>
#include <actors/values/validate_parts.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <cerrno>
#include <system_error>

namespace capsa::values {
namespace {

using text::quote;

result<void> validate_boot_file(const std::string& field, const std::filesystem::path& path) {
  const std::string hint = "give the path of a readable, non-empty file";
  if (path.empty()) return refused(field, "no path was given", hint);
  const std::string given = quote(path.native());
  if (path.native().find('\0') != std::string::npos)
    return refused(field, given + " holds a NUL byte", hint);
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0)
    return refused(field, given + ": " + std::generic_category().message(errno), hint);
  if (!S_ISREG(info.st_mode)) return refused(field, given + " is not a regular file", hint);
  if (info.st_size == 0) return refused(field, given + " is empty", hint);
  // O_NONBLOCK: what was a file a moment ago may be a pipe by now.
  const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd)
    return refused(field, given + " cannot be read: " + std::generic_category().message(errno),
                   hint);
  return {};
}

// The file itself is for whoever knows the firmware; see backends/firmware.
result<void> validate_variable_store(const std::filesystem::path& path) {
  const std::string hint =
      "give the path of a file, or leave it out for variables that are gone when the VM ends";
  if (path.empty()) return refused("efi_variable_store", "no path was given", hint);
  if (path.native().find('\0') != std::string::npos)
    return refused("efi_variable_store", quote(path.native()) + " holds a NUL byte", hint);
  return {};
}

}  // namespace

result<void> validate_boot(const ValidateContext& context) {
  if (context.boot) {
    if (auto ok = validate_boot_file("kernel", context.boot->kernel); !ok) return ok;
    if (auto ok = validate_boot_file("initrd", context.boot->initrd); !ok) return ok;
  }
  if (context.uefi && context.uefi->efi_variable_store)
    return validate_variable_store(*context.uefi->efi_variable_store);
  return {};
}

// Shares and disks come in numbers: the rest is one device each, whatever is done with it.
result<void> validate_devices(const VmConfig& config, const ValidateContext& context) {
  if (!context.boot && !context.uefi) return {};
  const bool acpi = context.uefi || context.boot->acpi;
  const bool first_disk = context.uefi || context.boot->root_disk;
  constexpr std::size_t kRandomSource = 1;
  const bool vsock = config.agent || !config.vsock_ports.empty();
  const bool network = !config.network.is<NetworkMode::None>();
  const std::size_t others = kRandomSource + (config.console ? 1 : 0) + (vsock ? 1 : 0) +
                             (network ? 1 : 0) + (context.image ? 1 : 0);
  const std::size_t room = (acpi ? kVirtioSlotsAcpi : kVirtioSlots) - others;
  const std::size_t disks = config.disks.size() + (first_disk ? 1 : 0);
  if (config.shares.size() + disks <= room) return {};
  const std::string given = disks == 0
                                ? "share: " + std::to_string(config.shares.size()) + " were given"
                                : "share, disk: " + std::to_string(config.shares.size()) + " and " +
                                      std::to_string(disks) + " were given";
  return error(
      ErrorCode::UnsupportedFeature,
      given + "; at most " + std::to_string(room) + " are allowed beside this VM's other devices",
      acpi ? "share one directory that holds several of them"
           : "share one directory that holds several of them, or boot a kernel with ACPI");
}

}  // namespace capsa::values
