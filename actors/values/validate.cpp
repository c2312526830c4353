#include <unistd.h>

#include <actors/values/longest_wait.hpp>
#include <actors/values/text.hpp>
#include <actors/values/validate_parts.hpp>

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
  if (auto ok = values::validate_boot(context); !ok) return ok;
  if (auto ok = values::validate_shares(config, context); !ok) return ok;
  if (auto ok = values::validate_disks(config, context); !ok) return ok;
  if (auto ok = values::validate_vsock(config); !ok) return ok;
  if (auto ok = values::validate_network(config); !ok) return ok;
  if (auto ok = values::validate_devices(config, context); !ok) return ok;
  if (auto ok = values::validate_timeout("timeout", config.timeout); !ok) return ok;
  // The length counts only with the backend's part, which is not known here.
  if (auto line = config.command_line.render({}); !line) return line.error();
  return {};
}

}  // namespace capsa
