#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>

namespace capsa::qemu {

struct QemuVersion {
  int major = 0;
  int minor = 0;
  int micro = 0;

  friend auto operator<=>(const QemuVersion&, const QemuVersion&) =
      default;  // NOLINT(modernize-use-nullptr): clang-tidy 14 misreads it
};

/// The oldest QEMU that the command line is known to work with.
inline constexpr QemuVersion kOldestQemu{7, 2, 0};

/// "7.2.22".
std::string to_string(const QemuVersion& version);

/// Reads the first line of `qemu-system-x86_64 --version`:
/// "QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)". Suffixes ("9.0.50-rc1") are
/// ignored, a missing third number is 0.
std::optional<QemuVersion> parse_version(std::string_view text);

}  // namespace capsa::qemu
