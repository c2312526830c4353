#pragma once

#include <backends/kvm/tables/acpi.hpp>
#include <backends/kvm/tables/checksum.hpp>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <map>
#include <ostream>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

namespace capsa::kvm {

using Bytes = std::vector<std::byte>;

/// For expectations, byte by byte.
inline Bytes bytes(std::initializer_list<int> values) {
  Bytes out;
  for (const int value : values)
    out.push_back(static_cast<std::byte>(value));
  return out;
}

/// Reads as a guest does; throws where the bytes end.
template <class T>
T get(std::span<const std::byte> from, std::size_t offset) {
  if (offset > from.size() || from.size() - offset < sizeof(T))
    throw std::out_of_range("a field at " + std::to_string(offset) + " of " +
                            std::to_string(from.size()));
  T value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i)
    value |= static_cast<T>(std::to_integer<T>(from[offset + i]) << (8 * i));
  return value;
}

inline std::string text(std::span<const std::byte> from, std::size_t offset, std::size_t length) {
  const auto part = from.subspan(offset, length);
  return {reinterpret_cast<const char*>(part.data()), part.size()};
}

inline std::size_t occurrences(std::span<const std::byte> in, std::string_view what) {
  const std::string all = text(in, 0, in.size());
  std::size_t count = 0;
  for (auto at = all.find(what); at != std::string::npos; at = all.find(what, at + 1))
    ++count;
  return count;
}

/// What a guest finds that goes from the RSDP along the addresses. Throws where an address leads
/// out of the area, a length is wrong or a checksum does not hold.
class ParsedTables {
 public:
  explicit ParsedTables(const AcpiTables& tables) : all_(tables.bytes) {
    if (tables.rsdp % 16 != 0) throw std::runtime_error("no kernel finds this RSDP");
    const auto rsdp = at(tables.rsdp, 36);
    if (text(rsdp, 0, 8) != "RSD PTR ") throw std::runtime_error("no RSDP");
    if (get<std::uint32_t>(rsdp, 20) != 36) throw std::runtime_error("length of the RSDP");
    if (byte_sum(rsdp.first(20)) != 0 || byte_sum(rsdp) != 0)
      throw std::runtime_error("checksum of the RSDP");
    const auto xsdt = add(get<std::uint64_t>(rsdp, 24));
    for (std::size_t entry = 36; entry < xsdt.size(); entry += 8)
      add(get<std::uint64_t>(xsdt, entry));
    add(get<std::uint64_t>((*this)["FACP"], 140));
  }

  std::span<const std::byte> operator[](const std::string& signature) const {
    return tables_.at(signature);
  }
  const std::map<std::string, std::span<const std::byte>>& all() const { return tables_; }

 private:
  std::span<const std::byte> at(GuestAddress address, std::size_t length) const {
    if (address < kAcpiAddress || address - kAcpiAddress > all_.size() ||
        all_.size() - (address - kAcpiAddress) < length)
      throw std::out_of_range("an address that leads out of the area");
    return all_.subspan(address - kAcpiAddress, length);
  }

  std::span<const std::byte> add(GuestAddress address) {
    if (address % 16 != 0) throw std::runtime_error("a table at an odd place");
    const auto table = at(address, get<std::uint32_t>(at(address, 36), 4));
    const std::string signature = text(table, 0, 4);
    if (byte_sum(table) != 0) throw std::runtime_error("checksum of " + signature);
    if (!tables_.emplace(signature, table).second) throw std::runtime_error("twice " + signature);
    return table;
  }

  std::span<const std::byte> all_;
  std::map<std::string, std::span<const std::byte>> tables_;
};

/// A machine as ours are: the first `slots` places, and all else that there can be.
inline MachineTables machine_with(unsigned cpus, unsigned slots) {
  MachineTables machine{.cpus = cpus, .generation_id = 0x1'0000'2000};
  for (unsigned i = 0; i < slots; ++i)
    machine.virtio.push_back(virtio_slot(i));
  return machine;
}

}  // namespace capsa::kvm
