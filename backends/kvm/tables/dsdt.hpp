#pragma once

#include <backends/kvm/tables/machine_tables.hpp>
#include <cstddef>
#include <vector>

namespace capsa::kvm {

/// The DSDT: what the guest cannot find by itself. The devices that it names and the drivers of
/// Linux they are for:
///   V000…  LNRO0005  drivers/virtio/virtio_mmio.c
///   COM1   PNP0501   drivers/tty/serial/8250: with ACPI the number of an interrupt is no longer
///                    its line, so the line must be named
///   RTC    PNP0B00   drivers/rtc/rtc-cmos.c
///   PANC   QEMU0001  drivers/misc/pvpanic
///   GED    ACPI0013  drivers/acpi/evged.c; only where one of the next two is there
///   PWRB   PNP0C0C   drivers/acpi/button.c
///   VGEN   QEMUVGID, VM_Gen_Counter  drivers/virt/vmgenid.c
/// and \_S5, the sleep type that means "off". There is no keyboard controller: Linux would spend
/// time on asking for a keyboard, and resets by port 0x64 without being told of it. There is no
/// PCI. There are no processor objects: they tell of power states and hotplug, and there is
/// neither. Revision 2: integers have 64 bits. `machine` has passed check(). Pure; thread-safe.
std::vector<std::byte> build_dsdt(const MachineTables& machine);

}  // namespace capsa::kvm
