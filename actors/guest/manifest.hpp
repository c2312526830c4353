#pragma once

#include <capsa/result.hpp>
#include <cstdint>
#include <string>
#include <string_view>

namespace capsa::guest {

/// What is known of one prepared guest: manifest.json beside its vmlinux and initrd. Written last,
/// so an entry without one is not an entry.
struct Manifest {
  static constexpr std::string_view kFileName = "manifest.json";
  static constexpr std::string_view kKernelName = "vmlinux";
  static constexpr std::string_view kInitrdName = "initrd";

  bool tuned = false;
  std::string kernel_version;
  std::string command_line;
  bool acpi = false;
  std::string agent_key;     ///< content key of the agent in the initrd
  std::int64_t created = 0;  ///< seconds since 1970

  friend bool operator==(const Manifest&, const Manifest&) = default;
};

std::string format_manifest(const Manifest& manifest);

/// InvalidConfig for what is no manifest of the format known here. The cache is the user's own, but
/// may be half written, or another version's.
result<Manifest> parse_manifest(std::string_view text);

}  // namespace capsa::guest
