#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <actors/values/longest_wait.hpp>
#include <actors/values/text.hpp>
#include <actors/values/validate_parts.hpp>
#include <capsa/detail/unique_fd.hpp>

namespace capsa {
namespace values {
namespace {

using text::quote;

result<void> validate_resources(const ResourceConfig& resources, const ValidateContext& context) {
  if (resources.cpus < 1 || resources.cpus > kMaxCpus) {
    return refused("cpus",
                   std::to_string(resources.cpus) + " was given; 1 to " + std::to_string(kMaxCpus) +
                       " are allowed",
                   "call cpus() with a number in that range");
  }
  if (resources.memory_mb < kMinMemoryMb) {
    return refused("memory_mb",
                   std::to_string(resources.memory_mb) + " MiB was given; at least " +
                       std::to_string(kMinMemoryMb) + " MiB are needed",
                   "the unit is MiB: memory_mb(512) is half a GiB");
  }
  const auto most = context.host_memory_mb * kMaxMemoryOvercommit;
  if (context.host_memory_mb != 0 && resources.memory_mb > most) {
    return refused("memory_mb",
                   std::to_string(resources.memory_mb) + " MiB was given; at most " +
                       std::to_string(most) + " MiB are allowed here, " +
                       std::to_string(kMaxMemoryOvercommit) + " times the memory of this host",
                   "the unit is MiB: memory_mb(512) is half a GiB");
  }
  return {};
}

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

result<void> validate_name(const std::string& name) {
  if (name.size() > kMaxVmName) {
    return refused("name",
                   "it has " + std::to_string(name.size()) + " bytes; at most " +
                       std::to_string(kMaxVmName) + " are allowed",
                   "choose a shorter name");
  }
  if (text::has_control_character(name)) {
    return refused("name", quote(name) + " holds a control character", "use printable characters");
  }
  return {};
}

/// Shares and disks come in numbers: the rest is one device each, whatever is done with it.
result<void> validate_devices(const VmConfig& config, const LinuxDirectBootConfig& boot) {
  const bool acpi = boot.acpi;
  constexpr std::size_t kRandomSource = 1;
  const bool vsock = config.agent || !config.vsock_ports.empty();
  const bool network = !config.network.is<NetworkMode::None>();
  const std::size_t others =
      kRandomSource + (config.console ? 1 : 0) + (vsock ? 1 : 0) + (network ? 1 : 0);
  const std::size_t room = (acpi ? kVirtioSlotsAcpi : kVirtioSlots) - others;
  const std::size_t disks = config.disks.size() + (boot.root_disk ? 1 : 0);
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

}  // namespace

result<void> validate_timeout(const std::string& field,
                              const std::optional<std::chrono::milliseconds>& timeout) {
  if (!timeout || (timeout->count() > 0 && *timeout <= kLongestWait)) return {};
  return refused(field,
                 std::to_string(timeout->count()) +
                     " ms was given; more than 0 and at most 36500 days are allowed",
                 "leave it out for no limit");
}

}  // namespace values

ValidateContext host_context() {
  ValidateContext context;
  const long pages = ::sysconf(_SC_PHYS_PAGES);
  const long page_size = ::sysconf(_SC_PAGESIZE);
  if (pages > 0 && page_size > 0) {
    context.host_memory_mb =
        static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page_size) >> 20;
  }
  context.root = ::geteuid() == 0;
  return context;
}

result<void> validate(const VmConfig& config, const ValidateContext& context) {
  if (auto ok = values::validate_name(config.name); !ok) return ok;
  if (auto ok = values::validate_resources(config.resources, context); !ok) return ok;
  if (context.boot) {
    if (auto ok = values::validate_boot_file("kernel", context.boot->kernel); !ok) return ok;
    if (auto ok = values::validate_boot_file("initrd", context.boot->initrd); !ok) return ok;
  }
  if (auto ok = values::validate_shares(config, context); !ok) return ok;
  if (auto ok = values::validate_disks(config, context); !ok) return ok;
  if (auto ok = values::validate_vsock(config); !ok) return ok;
  if (auto ok = values::validate_network(config); !ok) return ok;
  if (context.boot) {
    if (auto ok = values::validate_devices(config, *context.boot); !ok) return ok;
  }
  if (auto ok = values::validate_timeout("timeout", config.timeout); !ok) return ok;
  // The length counts only with the backend's part, which is not known here.
  if (auto line = config.command_line.render({}); !line) return line.error();
  return {};
}

}  // namespace capsa
