#include <tools/benchmarks/bare_qemu.hpp>
#include <tools/benchmarks/child.hpp>

namespace capsa::bench {

std::vector<std::string> bare_qemu(const BareMachine& machine, const GuestAssets& guest,
                                   const std::string& more) {
  return {
      machine.qemu,
      "-M",
      std::string("microvm,pit=on,pic=on,rtc=on,isa-serial=on,acpi=") + (guest.acpi ? "on" : "off"),
      "-accel",
      machine.kvm ? "kvm" : "tcg,thread=multi,tb-size=64",
      "-cpu",
      machine.kvm ? "host" : "max,la57=off",
      "-smp",
      std::to_string(machine.cpus),
      "-m",
      std::to_string(machine.memory_mb) + "M",
      "-nodefaults",
      "-no-user-config",
      "-no-reboot",
      "-display",
      "none",
      "-serial",
      "stdio",
      "-kernel",
      guest.kernel,
      "-initrd",
      guest.initrd,
      "-append",
      "console=ttyS0 " + more + " " + guest.command_line};
}

std::chrono::nanoseconds time_bare_boot(const BareMachine& machine, const GuestAssets& guest) {
  const auto words = bare_qemu(machine, guest, "capsa.ready=1");
  const auto begun = std::chrono::steady_clock::now();
  Child child(words);
  child.read_until(kReadyLine);
  return std::chrono::steady_clock::now() - begun;
}

}  // namespace capsa::bench
