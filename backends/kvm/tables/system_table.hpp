#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace capsa::kvm {

/// The header of every ACPI table but the RSDP (ACPI 6.4, 5.2.6), in bytes.
inline constexpr std::size_t kSystemTableHeader = 36;

/// Who made the tables: six characters, padded with a space.
inline constexpr std::string_view kOemId = "CAPSA ";

/// One ACPI table: its header, `body` after it, length and checksum right. `signature` has four
/// characters.
std::vector<std::byte> system_table(std::string_view signature, std::uint8_t revision,
                                    std::span<const std::byte> body);

}  // namespace capsa::kvm
