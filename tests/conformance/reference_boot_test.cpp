#include <backends/firmware/ovmf.hpp>
#include <boost/test/unit_test.hpp>
#include <tests/conformance/disk_images.hpp>
#include <tests/conformance/guest_fixture.hpp>
#include <tests/conformance/reference_rows.hpp>
#include <tests/conformance/reference_scene.hpp>
#include <tests/support/scratch_dir.hpp>
#include <thread>

using namespace capsa;
using namespace std::chrono_literals;

namespace {

/// Whether a disk cannot be booted by firmware here; checks that it is refused, or says why.
bool there_is_no_firmware() {
  const tests::ScratchDir dir;
  const UefiBootConfig config(dir.file("disk.img", std::string(1U << 20, '\0')));
  if (test::on_kvm()) {
    const auto refused = test::runtime().vm(config).build().result();
    BOOST_TEST_REQUIRE(!refused.ok());
    BOOST_TEST(refused.error().code() == ErrorCode::UnsupportedFeature);
    test::row_refused(refused.error().message());
    return true;
  }
  const auto firmware = firmware::find_ovmf(false);
  if (!firmware) test::row_skipped(firmware.error().what());
  return !firmware;
}

/// Boots an empty disk until the firmware has looked at it. What a disk that boots does is in
/// uefi_test.cpp.
void boot_by_firmware(const UefiBootConfig& config) {
  auto vm = test::runtime().vm(config).build().get();
  vm.start().get();
  const auto deadline = std::chrono::steady_clock::now() + 120s;
  std::string said;
  // Nobody tells when the firmware prints.
  while (said.find("BdsDxe: ") == std::string::npos &&
         std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(50ms);
    said = vm.kernel_log().get();
  }
  BOOST_TEST(said.find("BdsDxe: ") != std::string::npos, said);
  BOOST_TEST(vm.disks()[0].device == "/dev/vda");
  vm.kill().get();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(reference_of_boot_configurations)

BOOST_AUTO_TEST_CASE(boot_01_linux_direct_boot_config) {
  const LinuxDirectBootConfig config(test::guest().kernel, test::guest().initrd);
  BOOST_TEST(config.kernel == test::guest().kernel);
  BOOST_TEST(config.initrd == test::guest().initrd);
  BOOST_TEST(test::builder_scene().agent.info().get().kernel_release ==
             test::guest().kernel_version);
}

BOOST_AUTO_TEST_CASE(boot_02_with_root_disk) {
  auto& scene = test::disk_scene();
  BOOST_TEST_REQUIRE(scene.vm.disks().size() == 2U);
  BOOST_TEST(scene.vm.disks()[0].device == "/dev/vda");
  BOOST_TEST(test::said(scene.agent, "sha256sum < /dev/vda").substr(0, 64) ==
             test::sha256(scene.root_bytes));
  BOOST_TEST(test::said(scene.agent, "cat /proc/cmdline").find(" root=/dev/vda rw") !=
             std::string::npos);
}

BOOST_AUTO_TEST_CASE(boot_03_uefi_boot_config) {
  if (there_is_no_firmware()) return;
  const tests::ScratchDir dir;
  boot_by_firmware(UefiBootConfig(dir.file("disk.img", std::string(1U << 20, '\0'))));
}

BOOST_AUTO_TEST_CASE(boot_04_with_efi_variable_store) {
  if (there_is_no_firmware()) return;
  const tests::ScratchDir dir;
  const auto disk = dir.file("disk.img", std::string(1U << 20, '\0'));
  const auto store = dir.path() / "variables";
  boot_by_firmware(UefiBootConfig(disk).with_efi_variable_store(store));
  // The firmware has written what it found to it.
  const auto first = firmware::find_ovmf(false)->variables;
  BOOST_TEST(std::filesystem::file_size(store) == std::filesystem::file_size(first));
  BOOST_TEST(test::run_on_host("cmp " + store.string() + " " + first.string()).status != 0);
}

BOOST_AUTO_TEST_CASE(boot_05_create_variable_store) {
  if (there_is_no_firmware()) return;
  const tests::ScratchDir dir;
  const auto disk = dir.file("disk.img", std::string(1U << 20, '\0'));
  const auto store = dir.path() / "variables";
  BOOST_TEST(UefiBootConfig(disk).create_variable_store);
  const auto refused = test::runtime()
                           .vm(UefiBootConfig(disk).with_efi_variable_store(store, false))
                           .build()
                           .result();
  BOOST_TEST_REQUIRE(!refused.ok());
  BOOST_TEST(refused.error().code() == ErrorCode::NotFound);
  BOOST_TEST(!std::filesystem::exists(store));
}

BOOST_AUTO_TEST_CASE(boot_06_on_every_backend_that_can_and_refused_by_name_where_it_cannot) {
  BOOST_TEST(test::builder_scene().vm.status() == VmStatus::running());
  if (test::on_kvm()) return;
  auto refused = test::guest_vm(test::runtime()).backend(Backend::Kvm).build().result();
  if (refused.ok()) return;  // a machine with both
  BOOST_TEST(refused.error().code() == ErrorCode::BackendUnavailable);
  BOOST_TEST(refused.error().message().find("/dev/kvm") != std::string::npos,
             refused.error().message());
  BOOST_TEST(!refused.error().hint().empty());
}

BOOST_AUTO_TEST_SUITE_END()
