#pragma once

#include <backends/kvm/tables/aml.hpp>

namespace capsa::kvm::aml {

/// \file Resource descriptors (ACPI 6.4, 6.4): what a device's _CRS is made of.

enum class Sharing : std::uint8_t { Exclusive, Shared };

/// Memory32Fixed, read and written (6.4.3.4).
Code memory32_fixed(std::uint32_t address, std::uint32_t size);
/// I/O ports at one place, all 16 address bits decoded (6.4.2.5).
Code io_ports(std::uint16_t first, std::uint8_t count);
enum class Trigger : std::uint8_t { Edge, Level };
/// An active-high line of the I/O APIC, which the device consumes (6.4.3.6).
Code interrupt(std::uint32_t line, Sharing sharing, Trigger trigger = Trigger::Edge);
/// The value of a _CRS: the descriptors and the end tag in a buffer.
Code resources(std::initializer_list<Code> descriptors);

}  // namespace capsa::kvm::aml
