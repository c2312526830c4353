#include <algorithm>
#include <backends/kvm/tables/acpi.hpp>
#include <backends/kvm/tables/checksum.hpp>
#include <backends/kvm/tables/dsdt.hpp>
#include <backends/kvm/tables/fadt.hpp>
#include <backends/kvm/tables/little_endian.hpp>
#include <backends/kvm/tables/madt.hpp>
#include <backends/kvm/tables/mp_table.hpp>
#include <backends/kvm/tables/system_table.hpp>
#include <string>
#include <utility>

namespace capsa::kvm {

namespace {

constexpr std::size_t kAlignment = 16;
/// What lies behind is the MP table's.
constexpr std::uint64_t kLimit = kBiosMpTableAddress - kAcpiAddress;
static_assert(kAcpiAddress % kAlignment == 0, "kernels look for the RSDP in steps of 16");

// The RSDP (ACPI 6.4, 5.2.5.3).
constexpr std::size_t kRsdpSize = 36;
/// What the first checksum covers: all that the RSDP of ACPI 1.0 had.
constexpr std::size_t kRsdpFirstPart = 20;

std::vector<std::byte> build_rsdp(GuestAddress xsdt) {
  std::vector<std::byte> rsdp(kRsdpSize);
  put(rsdp, 0, std::string_view("RSD PTR "));
  put(rsdp, 9, kOemId);
  put(rsdp, 15, std::uint8_t{2});  // revision
  put(rsdp, 20, static_cast<std::uint32_t>(kRsdpSize));
  put(rsdp, 24, xsdt);
  put(rsdp, 8, checksum(std::span(rsdp).first(kRsdpFirstPart)));
  put(rsdp, 32, checksum(rsdp));  // of all of it, the other checksum included
  return rsdp;
}

std::vector<std::byte> build_xsdt(GuestAddress fadt, GuestAddress madt) {
  std::vector<std::byte> body;
  append(body, fadt);
  append(body, madt);
  return system_table("XSDT", 1, body);
}

/// The area while it fills up.
class Area {
 public:
  explicit Area(std::size_t reserved) : bytes_(reserved) {}

  /// The address the table got.
  GuestAddress add(std::span<const std::byte> table) {
    bytes_.resize((bytes_.size() + kAlignment - 1) / kAlignment * kAlignment);
    const GuestAddress address = kAcpiAddress + bytes_.size();
    append(bytes_, table);
    return address;
  }

  std::vector<std::byte> take(std::span<const std::byte> rsdp) && {
    std::copy(rsdp.begin(), rsdp.end(), bytes_.begin());
    return std::move(bytes_);
  }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace

result<AcpiTables> build_acpi(const MachineTables& machine) {
  if (auto fine = check(machine); !fine) return fine.error();

  // From the leaves to the root: each needs the addresses of what it names.
  Area area(kRsdpSize);
  const GuestAddress dsdt = area.add(build_dsdt(machine));
  const GuestAddress fadt = area.add(build_fadt(dsdt));
  const GuestAddress madt = area.add(build_madt(machine.cpus));
  const GuestAddress xsdt = area.add(build_xsdt(fadt, madt));

  AcpiTables tables{kAcpiAddress, std::move(area).take(build_rsdp(xsdt))};
  if (tables.bytes.size() > kLimit) {
    return error(ErrorCode::ResourceExhausted,
                 "the ACPI tables of " + std::to_string(machine.virtio.size()) +
                     " virtio devices need " + std::to_string(tables.bytes.size()) + " of " +
                     std::to_string(kLimit) + " bytes",
                 "use fewer devices");
  }
  return tables;
}

}  // namespace capsa::kvm
