#include <actors/values/validate.hpp>

namespace capsa {
namespace {

// Only made absolute: taking ".." out of a path by its letters would be wrong where what stands
// before it is a symbolic link.
void make_absolute(std::filesystem::path& path, const std::filesystem::path& cwd) {
  if (!path.empty() && path.is_relative()) path = cwd / path;
}

void make_absolute(DiskImage& disk, const std::filesystem::path& cwd) {
  if (!disk.is_remote()) make_absolute(disk.path, cwd);
}

}  // namespace

VmConfig normalize(VmConfig config, const std::filesystem::path& cwd) {
  for (auto& share : config.shares)
    make_absolute(share.host_path, cwd);
  for (auto& disk : config.disks)
    make_absolute(disk, cwd);
  for (auto& port : config.vsock_ports)
    make_absolute(port.socket_path, cwd);
  return config;
}

LinuxDirectBootConfig normalize(LinuxDirectBootConfig boot, const std::filesystem::path& cwd) {
  make_absolute(boot.kernel, cwd);
  make_absolute(boot.initrd, cwd);
  if (boot.root_disk) make_absolute(*boot.root_disk, cwd);
  return boot;
}

UefiBootConfig normalize(UefiBootConfig boot, const std::filesystem::path& cwd) {
  make_absolute(boot.disk, cwd);
  if (boot.efi_variable_store) make_absolute(*boot.efi_variable_store, cwd);
  return boot;
}

}  // namespace capsa
