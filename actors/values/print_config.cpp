#include <actors/values/text.hpp>
#include <capsa/config.hpp>
#include <ostream>

namespace capsa {
namespace {

template <class T>
std::string list(const std::vector<T>& values) {
  std::string out = "[";
  for (const auto& value : values) {
    if (out.size() > 1) out += ", ";
    out += to_string(value);
  }
  return out + "]";
}

std::string yes_or_no(bool value) {
  return value ? "yes" : "no";
}

}  // namespace

std::string to_string(MountMode mode) {
  return mode == MountMode::ReadOnly ? "read_only" : "read_write";
}

std::string to_string(Ownership ownership) {
  return ownership == Ownership::Squash ? "squash" : "passthrough";
}

std::string to_string(ShareCache cache) {
  switch (cache) {
    case ShareCache::Auto:
      return "auto";
    case ShareCache::None:
      return "none";
    case ShareCache::Always:
      return "always";
  }
  return "unknown";
}

std::string to_string(GuestOs) {
  return "linux";
}

std::string to_string(Backend backend) {
  switch (backend) {
    case Backend::Auto:
      return "auto";
    case Backend::Qemu:
      return "qemu";
    case Backend::Kvm:
      return "kvm";
  }
  return "unknown";
}

std::string to_string(Accelerator accelerator) {
  switch (accelerator) {
    case Accelerator::Auto:
      return "auto";
    case Accelerator::Kvm:
      return "kvm";
    case Accelerator::Tcg:
      return "tcg";
  }
  return "unknown";
}

std::string to_string(const LinuxDirectBootConfig& boot) {
  return "LinuxDirectBootConfig{kernel=" + text::quote(boot.kernel.native()) +
         ", initrd=" + text::quote(boot.initrd.native()) + ", acpi=" + yes_or_no(boot.acpi) +
         (boot.root_disk ? ", root_disk=" + to_string(*boot.root_disk) : "") + "}";
}

std::string to_string(const UefiBootConfig& boot) {
  return "UefiBootConfig{disk=" + to_string(boot.disk) + ", efi_variable_store=" +
         (boot.efi_variable_store ? text::quote(boot.efi_variable_store->native()) : "its own") +
         ", create_variable_store=" + yes_or_no(boot.create_variable_store) +
         ", secure_boot=" + yes_or_no(boot.secure_boot) + "}";
}

std::string to_string(const ShareConfig& share) {
  return "ShareConfig{host_path=" + text::quote(share.host_path.native()) +
         ", target=" + text::quote(share.target) + ", mode=" + to_string(share.mode) +
         ", ownership=" + to_string(share.ownership) + ", cache=" + to_string(share.cache) + "}";
}

std::string to_string(const VsockPortConfig& port) {
  return std::string("VsockPortConfig{") + (port.connects ? "connect" : "listen") +
         ", port=" + std::to_string(port.port) + ", socket_path=" +
         (port.socket_path.empty() ? "auto" : text::quote(port.socket_path.native())) +
         ", auto_cleanup=" + yes_or_no(port.auto_cleanup) + "}";
}

std::string to_string(const ResourceConfig& resources) {
  return "ResourceConfig{cpus=" + std::to_string(resources.cpus) +
         ", memory=" + std::to_string(resources.memory_mb) + " MiB}";
}

std::string to_string(const VmConfig& config) {
  const auto line = config.command_line.render({});
  return "VmConfig{name=" + text::quote(config.name) +
         ", resources=" + to_string(config.resources) + ", console=" + yes_or_no(config.console) +
         ", agent=" + yes_or_no(config.agent) + ", shares=" + list(config.shares) +
         ", disks=" + list(config.disks) + ", vsock_ports=" + list(config.vsock_ports) +
         ", network=" + to_string(config.network) +
         (config.command_line.is_override() ? ", command_line_override=" : ", command_line=") +
         (line ? text::quote(*line) : "refused: " + text::quote(line.error().message())) +
         ", timeout=" +
         (config.timeout ? std::to_string(config.timeout->count()) + " ms" : "none") +
         ", backend=" + to_string(config.backend) +
         ", accelerator=" + to_string(config.accelerator) + ", nested=" + yes_or_no(config.nested) +
         "}";
}

std::ostream& operator<<(std::ostream& out, MountMode mode) {
  return out << to_string(mode);
}
std::ostream& operator<<(std::ostream& out, Backend backend) {
  return out << to_string(backend);
}
std::ostream& operator<<(std::ostream& out, const LinuxDirectBootConfig& boot) {
  return out << to_string(boot);
}
std::ostream& operator<<(std::ostream& out, const UefiBootConfig& boot) {
  return out << to_string(boot);
}
std::ostream& operator<<(std::ostream& out, const ShareConfig& share) {
  return out << to_string(share);
}
std::ostream& operator<<(std::ostream& out, const VsockPortConfig& port) {
  return out << to_string(port);
}
std::ostream& operator<<(std::ostream& out, const ResourceConfig& resources) {
  return out << to_string(resources);
}
std::ostream& operator<<(std::ostream& out, const VmConfig& config) {
  return out << to_string(config);
}

}  // namespace capsa
