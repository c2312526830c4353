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

MachineSpec firmware_spec() {
  MachineSpec spec;
  spec.name = "web";
  spec.firmware = {"/ovmf,code.fd", 30};
  spec.serial_fd = 40;
  spec.console_fd = 41;
  spec.devices = {{DeviceSpec::Kind::Fs, 42, "data"},
                  {DeviceSpec::Kind::Block, 43, ""},
                  {DeviceSpec::Kind::Block, 44, "", 2},
                  {DeviceSpec::Kind::Net, 45, "02:00:00:00:00:01"},
                  {DeviceSpec::Kind::Vsock, 46, ""}};
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

BOOST_AUTO_TEST_CASE(a_pc_whose_firmware_boots_the_first_disk_and_no_other) {
  const auto spec = firmware_spec();
  const auto line = build_command_line(spec, Accelerator::Tcg);
  BOOST_TEST_REQUIRE(line.ok());
  BOOST_TEST(joined(*line) ==
             "-name\nguest=web,debug-threads=on\n"
             "-M\nq35,smm=off,sata=off,usb=off,vmport=off,memory-backend=mem,dump-guest-core=off\n"
             "-accel\ntcg,thread=multi,tb-size=64\n"
             "-cpu\nmax,la57=off\n"
             "-smp\n1\n"
             "-m\n512M\n"
             "-object\nmemory-backend-memfd,id=mem,size=512M,share=on\n"
             "-global\nICH9-LPC.disable_s3=1\n-global\nICH9-LPC.disable_s4=1\n"
             "-drive\nif=pflash,unit=0,format=raw,readonly=on,file=/ovmf,,code.fd\n"
             "-add-fd\nset=0,fd=3\n"
             "-drive\nif=pflash,unit=1,format=raw,auto-read-only=off,file.driver=file,"
             "file.locking=off,file.filename=/dev/fdset/0\n"
             "-nodefaults\n-no-user-config\n-display\nnone\n-no-reboot\n-no-shutdown\n-S\n"
             "-sandbox\non,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny\n"
             "-chardev\nsocket,id=qmp,fd=4\n-mon\nchardev=qmp,mode=control\n"
             "-chardev\nsocket,id=serial,fd=5\n-serial\nchardev:serial\n"
             "-chardev\nsocket,id=console,fd=6\n-device\nvirtio-serial-pci,disable-legacy=on\n"
             "-device\nvirtconsole,chardev=console\n"
             "-device\nvirtio-rng-pci,disable-legacy=on\n-device\npvpanic\n"
             "-chardev\nsocket,id=vhost0,fd=7\n"
             "-device\nvhost-user-fs-pci,chardev=vhost0,tag=data\n"
             "-chardev\nsocket,id=vhost1,fd=8\n"
             "-device\nvhost-user-blk-pci,disable-legacy=on,chardev=vhost1,num-queues=1,"
             "bootindex=0\n"
             "-chardev\nsocket,id=vhost2,fd=9\n"
             "-device\nvhost-user-blk-pci,disable-legacy=on,chardev=vhost2,num-queues=2\n"
             "-chardev\nsocket,id=vhost3,fd=10\n"
             "-netdev\nvhost-user,id=net-vhost3,chardev=vhost3\n"
             "-device\nvirtio-net-pci,disable-legacy=on,romfile=,vectors=0,netdev=net-vhost3,"
             "mac=02:00:00:00:00:01\n"
             "-chardev\nsocket,id=vhost4,fd=11\n"
             "-device\nvhost-user-vsock-pci,disable-legacy=on,chardev=vhost4");
  const std::vector<FdAssignment> fds{
      {30, 3}, {kControlSocket, 4}, {40, 5}, {41, 6}, {42, 7}, {43, 8}, {44, 9}, {45, 10},
      {46, 11}};
  BOOST_TEST((line->fds == fds));
}

BOOST_AUTO_TEST_CASE(secure_boot_keeps_the_guests_kernel_from_the_firmwares_flash) {
  auto spec = firmware_spec();
  spec.firmware->secure_boot = true;
  const auto line = build_command_line(spec, Accelerator::Kvm);
  BOOST_TEST_REQUIRE(line.ok());
  BOOST_TEST(joined(*line).find("-M\nq35,smm=on,") != std::string::npos);
  // With KVM a card has the interrupts that it has anywhere.
  BOOST_TEST(joined(*line).find("vectors=0") == std::string::npos);
  BOOST_TEST(joined(*line).find("-global\ndriver=cfi.pflash01,property=secure,value=on\n") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(firmware_without_what_it_needs_is_refused_by_name) {
  auto spec = firmware_spec();
  spec.firmware->code.clear();
  check_refused(spec, "firmware: no file");
  spec = firmware_spec();
  spec.firmware->variables_fd = -1;
  check_refused(spec, "firmware: it has no variables");
  spec = firmware_spec();
  spec.acpi = false;
  check_refused(spec, "acpi");
  spec = firmware_spec();
  spec.command_line = "quiet";
  check_refused(spec, "kernel");
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
