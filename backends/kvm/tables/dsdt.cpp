#include <array>
#include <backends/kvm/tables/aml.hpp>
#include <backends/kvm/tables/aml_resources.hpp>
#include <backends/kvm/tables/dsdt.hpp>
#include <backends/kvm/tables/little_endian.hpp>
#include <backends/kvm/tables/system_table.hpp>

namespace capsa::kvm {

namespace {

using aml::Code;
using aml::Sharing;

constexpr std::uint8_t kRevision = 2;
/// Both mean "look at me": the button was pressed (ACPI 6.4, 4.8.3.1.2); the generation id is
/// another one.
constexpr std::uint8_t kPressed = 0x80;
constexpr std::uint8_t kChanged = 0x80;
constexpr std::uint64_t kPresentAndWorking = 0xF;  // _STA, 6.3.7

constexpr std::uint8_t kSerialPorts = 8;
constexpr std::uint8_t kRtcPorts = 2;
constexpr std::uint8_t kPanicPorts = 1;

Code sleep_types() {
  // \_S5 (7.4.2.6): the first is what goes into the sleep control register, the others are for
  // registers that a hardware-reduced machine has not.
  return aml::define("_S5", aml::package({aml::integer(kSleepTypeS5), aml::integer(0),
                                          aml::integer(0), aml::integer(0)}));
}

Code virtio_device(const VirtioSlot& slot, unsigned index, Sharing sharing) {
  return aml::device(
      aml::Name::numbered('V', index),
      aml::join({aml::define("_HID", aml::string("LNRO0005")),
                 aml::define("_UID", aml::integer(index)), aml::define("_CCA", aml::integer(1)),
                 aml::define("_CRS", aml::resources({aml::memory32_fixed(
                                                         static_cast<std::uint32_t>(slot.address),
                                                         static_cast<std::uint32_t>(slot.size)),
                                                     aml::interrupt(slot.line, sharing)}))}));
}

Code virtio_devices(const std::vector<VirtioSlot>& slots) {
  std::array<unsigned, kInterruptLines> users{};
  for (const VirtioSlot& slot : slots)
    ++users[slot.line];
  Code code;
  for (unsigned i = 0; i < slots.size(); ++i) {
    const bool alone = users[slots[i].line] == 1;
    append(code, virtio_device(slots[i], i, alone ? Sharing::Exclusive : Sharing::Shared));
  }
  return code;
}

Code serial() {
  return aml::device(
      "COM1",
      aml::join({aml::define("_HID", aml::integer(aml::eisa_id("PNP0501"))),
                 aml::define("_UID", aml::integer(1)),
                 aml::define("_CRS",
                             aml::resources({aml::io_ports(kSerialPort, kSerialPorts),
                                             aml::interrupt(kSerialLine, Sharing::Exclusive)}))}));
}

// Without its interrupt: the machine's clock has no alarms, and a driver that knows says so.
Code clock() {
  return aml::device(
      "RTC",
      aml::join({aml::define("_HID", aml::integer(aml::eisa_id("PNP0B00"))),
                 aml::define("_CRS", aml::resources({aml::io_ports(kRtcPort, kRtcPorts)}))}));
}

Code panic_device() {
  return aml::device(
      "PANC",
      aml::join({aml::define("_HID", aml::string("QEMU0001")),
                 aml::define("_STA", aml::integer(kPresentAndWorking)),
                 aml::define("_CRS", aml::resources({aml::io_ports(kPanicPort, kPanicPorts)}))}));
}

Code power_button() {
  return aml::device("PWRB", aml::define("_HID", aml::integer(aml::eisa_id("PNP0C0C"))));
}

Code generation_counter(GuestAddress address) {
  return aml::device(
      "VGEN", aml::join({aml::define("_HID", aml::string("QEMUVGID")),
                         aml::define("_CID", aml::string("VM_Gen_Counter")),
                         aml::define("_DDN", aml::string("VM_Gen_Counter")),
                         aml::define("ADDR", aml::package({aml::integer(address & 0xFFFF'FFFF),
                                                           aml::integer(address >> 32)}))}));
}

// By level: an event from before the driver came would be lost on an edge.
Code event_device(const MachineTables& machine) {
  const auto on = [](std::uint32_t bit, const Code& then) {
    return aml::when(aml::bit_and(aml::local(0), aml::integer(bit)), then);
  };
  // Reading the register clears it: one read, and every bit of it is answered. A guest that was
  // copied must learn that before it is told to go.
  Code events = aml::store(aml::reference("EVTS"), aml::local(0));
  if (machine.generation_id)
    append(events, on(kEventGenerationChanged, aml::notify("\\_SB.VGEN", kChanged)));
  if (machine.power_button)
    append(events, on(kEventPowerButton, aml::notify("\\_SB.PWRB", kPressed)));
  return aml::device(
      "GED", aml::join({aml::define("_HID", aml::string("ACPI0013")),
                        aml::define("_CRS", aml::resources({aml::interrupt(kEventDeviceLine,
                                                                           aml::Sharing::Exclusive,
                                                                           aml::Trigger::Level)})),
                        aml::memory_region("EREG", kEventDeviceAddress, sizeof(std::uint32_t)),
                        aml::register32("EREG", "EVTS"), aml::method("_EVT", 1, true, events)}));
}

}  // namespace

std::vector<std::byte> build_dsdt(const MachineTables& machine) {
  Code devices = aml::join({serial(), clock(), panic_device()});
  // What is notified is declared before who does it.
  if (machine.power_button) append(devices, power_button());
  if (machine.generation_id) append(devices, generation_counter(*machine.generation_id));
  if (machine.power_button || machine.generation_id) append(devices, event_device(machine));
  append(devices, virtio_devices(machine.virtio));
  return system_table("DSDT", kRevision, aml::join({sleep_types(), aml::scope("\\_SB", devices)}));
}

}  // namespace capsa::kvm
