#include <algorithm>
#include <backends/qemu/command_line.hpp>
#include <boost/test/unit_test.hpp>

using capsa::ErrorCode;
using capsa::hypervisor::DeviceSpec;
using capsa::hypervisor::MachineSpec;
using namespace capsa::qemu;

namespace {

MachineSpec plain_spec() {
  MachineSpec spec;
  spec.name = "web";
  spec.kernel = "/boot/vmlinux";
  spec.command_line = "console=hvc0";
  return spec;
}

std::string joined(const CommandLine& line) {
  std::string text;
  for (const auto& argument : line.arguments)
    text += (text.empty() ? "" : "\n") + argument;
  return text;
}

void check_refused(const MachineSpec& spec, const std::string& message) {
  const auto line = build_command_line(spec, Accelerator::Tcg);
  BOOST_TEST_REQUIRE(!line.ok());
  BOOST_TEST((line.error().code() == ErrorCode::InvalidConfig));
  BOOST_TEST(line.error().message().find(message) != std::string::npos, line.error().message());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(command_line)

BOOST_AUTO_TEST_CASE(a_full_machine_under_emulation) {
  auto spec = plain_spec();
  spec.initrd = "/boot/initrd";
  spec.cpus = 4;
  spec.memory_mb = 1024;
  spec.acpi = false;
  spec.serial_fd = 40;
  spec.console_fd = 41;
  spec.devices = {{DeviceSpec::Kind::Fs, 42, "data,1"}, {DeviceSpec::Kind::Vsock, 43, ""}};
  const auto line = build_command_line(spec, Accelerator::Tcg);
  BOOST_TEST_REQUIRE(line.ok());
  BOOST_TEST(joined(*line) ==
             "-name\nguest=web,debug-threads=on\n"
             "-M\nmicrovm,acpi=off,pit=on,pic=on,rtc=on,isa-serial=on,memory-backend=mem,"
             "dump-guest-core=off\n"
             "-accel\ntcg,thread=multi,tb-size=64\n"
             "-cpu\nmax,la57=off\n"
             "-smp\n4\n"
             "-m\n1024M\n"
             "-object\nmemory-backend-memfd,id=mem,size=1024M,share=on\n"
             "-global\nvirtio-mmio.force-legacy=false\n"
             "-nodefaults\n-no-user-config\n-display\nnone\n-no-reboot\n-no-shutdown\n-S\n"
             "-sandbox\non,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny\n"
             "-chardev\nsocket,id=qmp,fd=3\n-mon\nchardev=qmp,mode=control\n"
             "-chardev\nsocket,id=serial,fd=4\n-serial\nchardev:serial\n"
             "-chardev\nsocket,id=console,fd=5\n-device\nvirtio-serial-device\n"
             "-device\nvirtconsole,chardev=console\n"
             "-device\nvirtio-rng-device\n-device\npvpanic\n"
             "-chardev\nsocket,id=vhost0,fd=6\n"
             "-device\nvhost-user-fs-device,chardev=vhost0,tag=data,,1\n"
             "-chardev\nsocket,id=vhost1,fd=7\n"
             "-device\nvhost-user-vsock-device,chardev=vhost1\n"
             "-kernel\n/boot/vmlinux\n-initrd\n/boot/initrd\n-append\nconsole=hvc0");
  const std::vector<FdAssignment> fds{{kControlSocket, 3}, {40, 4}, {41, 5}, {42, 6}, {43, 7}};
  BOOST_TEST((line->fds == fds));
}

BOOST_AUTO_TEST_CASE(a_bare_machine_on_kvm) {
  auto spec = plain_spec();
  spec.name = "";
  const auto line = build_command_line(spec, Accelerator::Kvm);
  BOOST_TEST_REQUIRE(line.ok());
  BOOST_TEST(joined(*line) ==
             "-name\nguest=capsa,debug-threads=on\n"
             "-M\nmicrovm,acpi=on,pit=on,pic=on,rtc=on,isa-serial=on,memory-backend=mem,"
             "dump-guest-core=off\n"
             "-accel\nkvm\n"
             "-cpu\nhost\n"
             "-smp\n1\n"
             "-m\n512M\n"
             "-object\nmemory-backend-memfd,id=mem,size=512M,share=on\n"
             "-global\nvirtio-mmio.force-legacy=false\n"
             "-nodefaults\n-no-user-config\n-display\nnone\n-no-reboot\n-no-shutdown\n-S\n"
             "-sandbox\non,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny\n"
             "-chardev\nsocket,id=qmp,fd=3\n-mon\nchardev=qmp,mode=control\n"
             "-device\nvirtio-rng-device\n-device\npvpanic\n"
             "-kernel\n/boot/vmlinux\n-append\nconsole=hvc0");
  BOOST_TEST(line->fds.size() == 1u);
}

BOOST_AUTO_TEST_CASE(a_guest_with_guests_gets_a_cpu_that_can_run_them) {
  auto spec = plain_spec();
  spec.nested = true;
  const auto emulated = build_command_line(spec, Accelerator::Tcg);
  BOOST_TEST_REQUIRE(emulated.ok());
  BOOST_TEST(joined(*emulated).find("\n-cpu\nEPYC,-xsave\n") != std::string::npos);
  const auto on_kvm = build_command_line(spec, Accelerator::Kvm);
  BOOST_TEST_REQUIRE(on_kvm.ok());
  BOOST_TEST(joined(*on_kvm).find("\n-cpu\nhost\n") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_comma_cannot_add_an_option) {
  BOOST_TEST(escape_option("a,b,,c") == "a,,b,,,,c");
  auto spec = plain_spec();
  spec.name = "x,process=evil";
  const auto line = build_command_line(spec, Accelerator::Tcg);
  BOOST_TEST_REQUIRE(line.ok());
  BOOST_TEST(line->arguments[1] == "guest=x,,process=evil,debug-threads=on");
}

BOOST_AUTO_TEST_CASE(devices_beyond_the_slots_are_refused) {
  auto spec = plain_spec();
  spec.console_fd = 9;
  for (const bool acpi : {true, false}) {
    spec.acpi = acpi;
    // The console and the random number generator take one each.
    spec.devices.assign((acpi ? kVirtioSlotsAcpi : kVirtioSlots) - 2,
                        {DeviceSpec::Kind::Fs, 10, "t"});
    BOOST_TEST(build_command_line(spec, Accelerator::Tcg).ok());
    spec.devices.push_back({DeviceSpec::Kind::Vsock, 10, ""});
    check_refused(spec, acpi ? "24 virtio slots and 25" : "8 virtio slots and 9");
  }
}

BOOST_AUTO_TEST_CASE(a_command_line_that_the_kernel_would_cut_is_refused) {
  auto spec = plain_spec();
  spec.command_line = std::string(kMaxKernelCommandLine, 'x');
  BOOST_TEST(build_command_line(spec, Accelerator::Tcg).ok());
  spec.command_line += 'x';
  check_refused(spec, "2048 bytes");
  // Without ACPI, QEMU adds where the devices are.
  spec.acpi = false;
  spec.command_line = std::string(kMaxKernelCommandLine, 'x');
  check_refused(spec, "2047 bytes");
}

BOOST_AUTO_TEST_CASE(values_out_of_range_are_refused_by_name) {
  auto spec = plain_spec();
  spec.cpus = 0;
  check_refused(spec, "cpus: 0");
  spec.cpus = 256;
  check_refused(spec, "cpus: 256");
  spec = plain_spec();
  spec.memory_mb = 0;
  check_refused(spec, "memory_mb");
  spec = plain_spec();
  spec.kernel.clear();
  check_refused(spec, "kernel");
  spec = plain_spec();
  spec.command_line = std::string("a\0b", 3);
  check_refused(spec, "zero byte");
  spec = plain_spec();
  spec.devices = {{DeviceSpec::Kind::Vsock, -1, ""}};
  check_refused(spec, "without a socket");
  spec.devices = {{DeviceSpec::Kind::Fs, 5, ""}};
  check_refused(spec, "tag");
  spec.devices = {{DeviceSpec::Kind::Fs, 5, std::string(37, 't')}};
  check_refused(spec, "tag");
}

BOOST_AUTO_TEST_SUITE_END()
