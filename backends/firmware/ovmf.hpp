#pragma once

#include <capsa/result.hpp>
#include <filesystem>

namespace capsa::firmware {

/// UEFI firmware of the host: two images, one of which every machine needs a copy of.
struct Ovmf {
  std::filesystem::path code;       ///< only read, by any number of machines
  std::filesystem::path variables;  ///< what a variable store starts as
};

/// Where Debian's package ovmf has them.
inline constexpr const char* kOvmfDirectory = "/usr/share/OVMF";

/// Finds the firmware. The flavour for secure boot keeps its variables behind system management
/// mode, and its first variables have the keys that PCs come with. NotFound with the package to
/// install, PermissionDenied; the message names the file.
result<Ovmf> find_ovmf(bool secure_boot, const std::filesystem::path& directory = kOvmfDirectory);

}  // namespace capsa::firmware
