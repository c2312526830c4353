#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <sstream>
#include <tests/conformance/disk_images.hpp>
#include <tests/conformance/host_state.hpp>
#include <tests/conformance/uefi_disk.hpp>
#include <tests/support/scratch_dir.hpp>
#include <thread>

using namespace capsa;
using namespace std::chrono_literals;
using test::code_of;

namespace {

// A variable of nobody else's; the first four bytes of such a file are its attributes: kept, and
// for programs that run before and after the firmware hands over.
constexpr const char* kVariable =
    "/sys/firmware/efi/efivars/CapsaTest-3f0c2bd1-9d3c-4b52-8a4e-6a8a3b1f1c77";
// The value is the last byte.
constexpr const char* kSecureBoot =
    "f=/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c; "
    "if [ -e $f ]; then tail -c 1 $f | od -An -tu1 | tr -d ' '; else echo none; fi";

/// A disk that is made once for all cases.
struct Boot {
  tests::ScratchDir dir;
  std::filesystem::path disk = test::make_uefi_disk(dir.path());
};
Boot& boot() {
  static Boot instance;
  return instance;
}

VmBuilder uefi_vm(UefiBootConfig config) {
  return test::runtime().vm(std::move(config)).memory_mb(512).timeout(5min);
}

/// The agent of a guest whose firmware's variables can be seen.
AgentClient agent_with_variables(const VmHandle& vm) {
  auto agent = vm.agent().get();
  const auto mounted =
      agent.exec("mount -t efivarfs none /sys/firmware/efi/efivars && mkdir /disk").get();
  BOOST_TEST_REQUIRE(mounted.status.code == 0, mounted.stderr_data);
  return agent;
}

std::string output(const AgentClient& agent, const std::string& line) {
  auto result = agent.exec(line).get();
  BOOST_TEST(result.status.code == 0, line << ": " << result.stderr_data);
  return result.stdout_data;
}

/// Whether the firmware or the kernel says so within two minutes; looks every 50 ms, as nobody
/// tells when it does.
bool says(const VmHandle& vm, const std::string& text) {
  const auto deadline = std::chrono::steady_clock::now() + 2min;
  while (std::chrono::steady_clock::now() < deadline) {
    if (vm.kernel_log().get().find(text) != std::string::npos) return true;
    std::this_thread::sleep_for(50ms);
  }
  return false;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(uefi)

BOOST_AUTO_TEST_CASE(is_refused_by_name_where_there_is_no_firmware) {
  const tests::ScratchDir dir;
  const auto disk = dir.file("disk", std::string(4096, '\0'));
  const auto built = uefi_vm(UefiBootConfig(disk)).backend(Backend::Kvm).build().result();
  BOOST_TEST_REQUIRE(!built.ok());
  BOOST_TEST(built.error().code() == ErrorCode::UnsupportedFeature);
  BOOST_TEST(built.error().hint().find("Backend::Qemu") != std::string::npos);
  // What CAPSA_BACKEND says is asked for by name, too.
  if (test::on_kvm())
    BOOST_TEST(code_of(uefi_vm(UefiBootConfig(disk)).build()) == ErrorCode::UnsupportedFeature);
}

BOOST_AUTO_TEST_CASE(checks_what_it_is_given_before_anything_is_started) {
  if (test::on_kvm()) return;
  test::need_firmware();
  const tests::ScratchDir dir;
  const auto disk = dir.file("disk", std::string(4096, '\0'));
  const auto refused = [](VmBuilder builder, ErrorCode code, const std::string& part) {
    const auto built = std::move(builder).build().result();
    BOOST_TEST_REQUIRE(!built.ok());
    BOOST_TEST(built.error().code() == code);
    BOOST_TEST(built.error().message().find(part) != std::string::npos, built.error().message());
  };
  const auto with_store = [&](const std::filesystem::path& store, bool create) {
    return uefi_vm(UefiBootConfig(disk).with_efi_variable_store(store, create));
  };
  refused(uefi_vm(UefiBootConfig(dir.path() / "none")), ErrorCode::InvalidConfig, "boot disk");
  refused(uefi_vm(UefiBootConfig(disk)).cmdline_flag("quiet"), ErrorCode::UnsupportedFeature,
          "command_line");
  refused(with_store(dir.path() / "none", false), ErrorCode::NotFound,
          (dir.path() / "none").native());
  refused(with_store(dir.file("small", "x"), true), ErrorCode::InvalidConfig, "it has 1 bytes");
  // A store is made by start(), not by build().
  const auto vm = with_store(dir.path() / "store", true).build().get();
  BOOST_TEST(!std::filesystem::exists(dir.path() / "store"));
  BOOST_TEST(vm.disks().front().device == "/dev/vda");
}

BOOST_AUTO_TEST_CASE(boots_a_disk_whose_variables_and_files_stay) {
  if (test::on_kvm()) return;
  test::need_firmware();
  const auto& disk = boot().disk;
  const tests::ScratchDir dir;
  const auto store = dir.path() / "variables";
  const auto shared = dir.path() / "shared";
  std::filesystem::create_directory(shared);
  const auto second = dir.file("second.img", test::random_bytes(1U << 20, 7));
  auto vm = uefi_vm(UefiBootConfig(disk).with_efi_variable_store(store))
                .cpus(2)
                .disk(second)
                .share(shared, "data", MountMode::ReadWrite)
                .network(NetworkMode::user_nat().build())
                .console_enabled()
                .agent_enabled()
                .build()
                .get();
  vm.start().get();
  auto agent = agent_with_variables(vm);
  BOOST_TEST(output(agent, "cat /sys/firmware/efi/fw_platform_size") == "64\n");
  // Firmware without keys may as well not have the variable.
  BOOST_TEST(output(agent, kSecureBoot) != "1\n");

  // All devices are there, on the bus of a PC.
  BOOST_TEST(output(agent, "nproc") == "2\n");
  BOOST_TEST(output(agent, "sha256sum < /dev/vdb").substr(0, 64) ==
             test::sha256(test::random_bytes(1U << 20, 7)));
  output(agent, "mkdir /data && mount -t virtiofs data /data && echo seen > /data/file");
  BOOST_TEST(std::filesystem::exists(shared / "file"));
  output(agent, "ip link set eth0 up && udhcpc -i eth0 -n -q");
  output(agent, "echo on-the-console > /dev/hvc0");
  vm.console().get().wait_for_timeout("on-the-console", 30s).get();
  BOOST_TEST(output(agent, "dd if=/dev/hwrng bs=16 count=1 | wc -c") == "16\n");

  output(agent, std::string("printf '\\007\\000\\000\\000kept' > ") + kVariable);
  output(agent, "mount -t vfat /dev/vda1 /disk && echo here > /disk/file && umount /disk");

  // Nobody else gets the variables meanwhile.
  auto other =
      uefi_vm(
          UefiBootConfig(dir.file("other", std::string(4096, '\0'))).with_efi_variable_store(store))
          .build()
          .get();
  const auto started = other.start().result();
  BOOST_TEST_REQUIRE(!started.ok());
  BOOST_TEST(started.error().code() == ErrorCode::ResourceExhausted);
  BOOST_TEST(started.error().message().find(store.native()) != std::string::npos);
  vm.stop().get();
  BOOST_TEST(vm.status() == VmStatus::stopped(0));

  // A second boot; at once, so the store was given back with the end of the first.
  vm.start().get();
  agent = agent_with_variables(vm);
  BOOST_TEST(output(agent, std::string("tail -c 4 ") + kVariable) == "kept");
  BOOST_TEST(output(agent, "mount -t vfat /dev/vda1 /disk && cat /disk/file") == "here\n");
  // A reboot ends the machine, as it does one that boots a kernel.
  auto ended = vm.wait();
  output(agent, "umount /disk");
  (void)agent.exec("reboot -f").result();
  BOOST_TEST(ended.wait_for(60s));
  BOOST_TEST(vm.status() == VmStatus::stopped(0));
  BOOST_TEST(test::machines_here() == 0U);
}

BOOST_AUTO_TEST_CASE(ends_by_its_power_button_and_has_variables_of_its_own) {
  if (test::on_kvm()) return;
  test::need_firmware();
  // No agent that the host knows: the button is all that is left to stop it with.
  auto vm = uefi_vm(UefiBootConfig(boot().disk)).build().get();
  vm.start().get();
  BOOST_TEST_REQUIRE(says(vm, "capsa-agent ready"));
  vm.stop_with_timeout(60s).get();
  BOOST_TEST(vm.status() == VmStatus::stopped(0));
}

BOOST_AUTO_TEST_CASE(reports_that_secure_boot_is_enabled) {
  if (test::on_kvm()) return;
  test::need_firmware();
  auto vm =
      uefi_vm(UefiBootConfig(boot().disk).with_secure_boot()).cpus(2).agent_enabled().build().get();
  vm.start().get();
  const auto agent = agent_with_variables(vm);
  BOOST_TEST(output(agent, kSecureBoot) == "1\n");
  BOOST_TEST(output(agent, "dmesg").find("Secure boot enabled") != std::string::npos);
  vm.stop().get();
  BOOST_TEST(vm.status() == VmStatus::stopped(0));
}

BOOST_AUTO_TEST_CASE(fills_a_pool_with_disks_to_throw_away) {
  if (test::on_kvm()) return;
  test::need_firmware();
  auto pool = test::runtime()
                  .pool(UefiBootConfig(DiskImage::overlay_of(boot().disk)))
                  .memory_mb(512)
                  .agent_enabled()
                  .timeout(5min)
                  .build(1)
                  .get();
  for (int round = 0; round < 2; ++round) {
    auto vm = pool.reserve().get();
    const auto agent = vm->agent().get();
    // Nothing of the round before is on the disk.
    BOOST_TEST(output(agent,
                      "mkdir -p /disk && mount /dev/vda1 /disk && ls /disk | grep -c round; "
                      "echo x > /disk/round && umount /disk") == "0\n");
    std::move(vm).release().get();
  }
  pool.shutdown().get();
}

BOOST_AUTO_TEST_CASE(starts_nothing_under_secure_boot_that_was_changed_after_it_was_signed) {
  if (test::on_kvm()) return;
  test::need_firmware();
  const tests::ScratchDir dir;
  const auto disk = dir.path() / "changed.img";
  std::filesystem::copy_file(boot().disk, disk);
  std::ifstream in(test::signed_boot_program(), std::ios::binary);
  std::ostringstream program;
  program << in.rdbuf();
  auto bytes = program.str();
  // In its code, which nothing but the signature looks at as a whole.
  bytes.at(0x2000) = static_cast<char>(~bytes.at(0x2000));
  test::replace_on_uefi_disk(disk, dir.file("changed.efi", bytes), "/EFI/BOOT/BOOTX64.EFI");
  auto vm = uefi_vm(UefiBootConfig(disk).with_secure_boot()).build().get();
  vm.start().get();
  BOOST_TEST(says(vm, "Access Denied"));
  BOOST_TEST(vm.kernel_log().get().find("Linux version") == std::string::npos);
  vm.kill().get();
}

BOOST_AUTO_TEST_SUITE_END()
