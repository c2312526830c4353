#include <backends/kvm/layout.hpp>
#include <backends/kvm/tables/little_endian.hpp>
#include <backends/kvm/tables/madt.hpp>
#include <backends/kvm/tables/system_table.hpp>

namespace capsa::kvm {

namespace {

constexpr std::uint8_t kRevision = 5;

constexpr std::uint8_t kLocalApic = 0;
constexpr std::uint8_t kIoApic = 1;
constexpr std::uint8_t kLocalApicNmi = 4;

constexpr std::uint8_t kAllProcessors = 0xFF;

}  // namespace

std::vector<std::byte> build_madt(unsigned cpus) {
  std::vector<std::byte> body;
  append(body, static_cast<std::uint32_t>(kLocalApicAddress));
  append(body, std::uint32_t{0});  // flags: no 8259 to be disabled

  for (unsigned cpu = 0; cpu < cpus; ++cpu) {
    append(body, kLocalApic);
    append(body, std::uint8_t{8});
    append(body, static_cast<std::uint8_t>(cpu));  // processor uid
    append(body, static_cast<std::uint8_t>(cpu));  // APIC id
    append(body, std::uint32_t{1});                // enabled
  }

  // Its id is what KVM's own says at reset. The first CPU has the same one: ids had to differ on
  // the APICs' own bus, which is long gone.
  append(body, kIoApic);
  append(body, std::uint8_t{12});
  append(body, std::uint8_t{0});  // id
  append(body, std::uint8_t{0});
  append(body, static_cast<std::uint32_t>(kIoApicAddress));
  append(body, std::uint32_t{0});  // the interrupt of its first pin

  // NMI on LINT1 of every CPU, as KVM's local APICs have it.
  append(body, kLocalApicNmi);
  append(body, std::uint8_t{6});
  append(body, kAllProcessors);
  append(body, std::uint16_t{0});  // polarity and trigger as the bus has them
  append(body, std::uint8_t{1});

  return system_table("APIC", kRevision, body);
}

}  // namespace capsa::kvm
