#include <backends/kvm/tables/checksum.hpp>
#include <backends/kvm/tables/little_endian.hpp>
#include <backends/kvm/tables/machine_tables.hpp>
#include <backends/kvm/tables/mp_table.hpp>

namespace capsa::kvm {

namespace {

constexpr std::size_t kPointerSize = 16;
constexpr std::size_t kHeaderSize = 44;
constexpr std::size_t kProcessorSize = 20;
constexpr std::size_t kOtherSize = 8;
/// The bus, the I/O APIC, its pins, and two pins of the local APICs.
constexpr std::size_t kOthers = 2 + kInterruptLines + 2;
static_assert(kBiosMpTableAddress + kPointerSize + kHeaderSize + kMaxCpus * kProcessorSize +
                      kOthers * kOtherSize <=
                  kAcpiAddress + kAcpiSize,
              "the largest table ends in the BIOS area");

constexpr std::uint8_t kSpecification14 = 4;

// Entries (4.3), which come in the order of their types.
enum Type : std::uint8_t { kProcessor, kBus, kIoApic, kIoInterrupt, kLocalInterrupt };

// Interrupt types (table 4-11).
constexpr std::uint8_t kVectored = 0;
constexpr std::uint8_t kNmi = 1;
constexpr std::uint8_t kExternal = 3;

constexpr std::uint8_t kUsable = 1;
constexpr std::uint8_t kBootProcessor = 2;
constexpr std::uint8_t kIsaBus = 0;
constexpr std::uint8_t kIoApicId = 0;  // as in the MADT
constexpr std::uint8_t kAllLocalApics = 0xFF;
/// An APIC that is part of the CPU has the version 0x1X (4.3.1); KVM's say 0x14.
constexpr std::uint8_t kLocalApicVersion = 0x14;
constexpr std::uint8_t kIoApicVersion = 0x11;
/// CPUID says better; kernels of today do not look here. A P6 with FPU and APIC.
constexpr std::uint32_t kCpuSignature = 0x600;
constexpr std::uint32_t kCpuFeatures = 1 << 0 | 1 << 9;

using Bytes = std::vector<std::byte>;

void add_processor(Bytes& out, unsigned cpu) {
  append(out, std::uint8_t{kProcessor});
  append(out, static_cast<std::uint8_t>(cpu));
  append(out, kLocalApicVersion);
  append(out, static_cast<std::uint8_t>(kUsable | (cpu == 0 ? kBootProcessor : 0)));
  append(out, kCpuSignature);
  append(out, kCpuFeatures);
  append(out, std::uint64_t{0});
}

void add_bus(Bytes& out) {
  append(out, std::uint8_t{kBus});
  append(out, kIsaBus);
  append(out, std::string_view("ISA   "));
}

void add_io_apic(Bytes& out) {
  append(out, std::uint8_t{kIoApic});
  append(out, kIoApicId);
  append(out, kIoApicVersion);
  append(out, kUsable);
  append(out, static_cast<std::uint32_t>(kIoApicAddress));
}

/// Polarity and trigger are the bus's: an ISA interrupt is an edge, active high.
void add_interrupt(Bytes& out, Type type, std::uint8_t kind, std::uint8_t source, std::uint8_t apic,
                   std::uint8_t pin) {
  append(out, std::uint8_t{type});
  append(out, kind);
  append(out, std::uint16_t{0});
  append(out, kIsaBus);
  append(out, source);
  append(out, apic);
  append(out, pin);
}

Bytes floating_pointer(GuestAddress table) {
  Bytes pointer;
  append(pointer, std::string_view("_MP_"));
  append(pointer, static_cast<std::uint32_t>(table));
  append(pointer, std::uint8_t{1});  // its own length, in 16 bytes
  append(pointer, kSpecification14);
  // The checksum, and features: zeros say that there is a configuration table and no IMCR.
  pointer.resize(kPointerSize);
  put(pointer, 10, checksum(pointer));
  return pointer;
}

Bytes header(std::size_t entries_size, std::size_t entries) {
  Bytes out;
  append(out, std::string_view("PCMP"));
  append(out, static_cast<std::uint16_t>(kHeaderSize + entries_size));
  append(out, kSpecification14);
  append(out, std::uint8_t{0});  // checksum, later
  append(out, std::string_view("CAPSA   "));
  append(out, std::string_view("KVM MACHINE "));
  append(out, std::uint32_t{0});  // no table of the OEM's
  append(out, std::uint16_t{0});
  append(out, static_cast<std::uint16_t>(entries));
  append(out, static_cast<std::uint32_t>(kLocalApicAddress));
  append(out, std::uint32_t{0});  // no extended entries
  return out;
}

}  // namespace

result<MpTable> build_mp_table(unsigned cpus) {
  if (auto fine = check(MachineTables{.cpus = cpus}); !fine) return fine.error();

  Bytes entries;
  for (unsigned cpu = 0; cpu < cpus; ++cpu)
    add_processor(entries, cpu);
  add_bus(entries);
  add_io_apic(entries);
  for (unsigned line = 0; line < kInterruptLines; ++line) {
    const auto pin = static_cast<std::uint8_t>(line);
    add_interrupt(entries, kIoInterrupt, kVectored, pin, kIoApicId, pin);
  }
  // As a PC's BIOS leaves them: the 8259 at LINT0 of the CPU that boots, NMI at LINT1 of all.
  add_interrupt(entries, kLocalInterrupt, kExternal, 0, 0, 0);
  add_interrupt(entries, kLocalInterrupt, kNmi, 0, kAllLocalApics, 1);

  Bytes table = header(entries.size(), cpus + kOthers);
  append(table, entries);
  put(table, 7, checksum(table));

  MpTable placed{kBiosMpTableAddress, floating_pointer(kBiosMpTableAddress + kPointerSize)};
  append(placed.bytes, table);
  return placed;
}

}  // namespace capsa::kvm
