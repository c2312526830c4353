#include <stdlib.h>

#include <boost/test/unit_test.hpp>
#include <tools/cli/options.hpp>

using namespace capsa;
using namespace capsa::cli;

BOOST_AUTO_TEST_SUITE(options)

BOOST_AUTO_TEST_CASE(a_share_is_host_target_and_mode) {
  BOOST_TEST(parse_share("/src:/work").value() == (ShareConfig{"/src", "/work"}));
  BOOST_TEST(parse_share("/src:/work:ro").value() == (ShareConfig{"/src", "/work"}));
  BOOST_TEST(parse_share("./s:tag:rw").value() ==
             (ShareConfig{"./s", "tag", MountMode::ReadWrite}));
}

BOOST_AUTO_TEST_CASE(a_host_path_may_hold_colons) {
  BOOST_TEST(parse_share("/a:b:c:/work:rw").value() ==
             (ShareConfig{"/a:b:c", "/work", MountMode::ReadWrite}));
}

BOOST_AUTO_TEST_CASE(a_share_without_a_half_is_refused) {
  for (const char* bad : {"", "/src", ":", "/src:", ":/work", "/src:ro", ":rw", "/src::ro"})
    BOOST_TEST(!parse_share(bad).ok(), bad);
}

BOOST_AUTO_TEST_CASE(a_disk_is_an_image_a_mode_and_a_format) {
  const auto disk = [](std::string_view text) { return parse_disk("--disk", text).value(); };
  BOOST_TEST(disk("/d.img") == DiskImage("/d.img"));
  BOOST_TEST(disk("/d.img:rw") == DiskImage("/d.img"));
  BOOST_TEST(disk("/d:1.img:ro") == DiskImage("/d:1.img").read_only());
  BOOST_TEST(disk("/d.qcow2:overlay") == DiskImage::overlay_of("/d.qcow2"));
  BOOST_TEST(disk("/d:overlay:qcow2") == DiskImage::overlay_of("/d", ImageFormat::Qcow2));
  BOOST_TEST(disk("/d:qcow2") == DiskImage::with_format("/d", ImageFormat::Qcow2));
  BOOST_TEST(disk("/d.qcow2:ro:raw") ==
             DiskImage::with_format("/d.qcow2", ImageFormat::Raw).read_only());
  BOOST_TEST(disk("nbd://10.0.0.1:10809/x").is_remote());
  for (const char* bad : {"", ":ro", ":raw", ":ro:raw"})
    BOOST_TEST(!parse_disk("--disk", bad).ok(), bad);
}

BOOST_AUTO_TEST_CASE(a_machine_comes_up_with_a_kernel_and_an_initrd) {
  BootWords words;
  words.kernel = "k";
  words.initrd = "i";
  words.no_acpi = true;
  words.root_disk = "/r:ro";
  std::vector<DiskImage> disks = {"/d"};
  const auto boot = parse_boot(words, disks);
  BOOST_TEST_REQUIRE(boot.ok());
  LinuxDirectBootConfig wanted("k", "i");
  wanted.acpi = false;
  wanted.root_disk = DiskImage("/r").read_only();
  BOOST_TEST((*boot == BootConfig(wanted)));
  BOOST_TEST(disks.size() == 1U);
  words.root_disk = ":ro";
  BOOST_TEST(!parse_boot(words, disks).ok());
}

BOOST_AUTO_TEST_CASE(a_machine_comes_up_with_firmware_and_its_first_disk) {
  BootWords words;
  words.uefi = true;
  std::vector<DiskImage> disks = {"/a", "/b"};
  BOOST_TEST((parse_boot(words, disks).value() == BootConfig(UefiBootConfig("/a"))));
  BOOST_TEST((disks == std::vector<DiskImage>{"/b"}));
  words.efi_vars = "v";
  words.secure_boot = true;
  const auto boot = parse_boot(words, disks);
  BOOST_TEST_REQUIRE(boot.ok());
  BOOST_TEST(
      (*boot == BootConfig(UefiBootConfig("/b").with_efi_variable_store("v").with_secure_boot())));
  BOOST_TEST(disks.empty());
  BOOST_TEST(parse_boot(words, disks).error().hint() == "add --disk IMAGE");
}

BOOST_AUTO_TEST_CASE(a_machine_without_the_half_of_what_boots_it_is_refused) {
  std::vector<DiskImage> disks = {"/d"};
  const auto refused = [&disks](const BootWords& words, const std::string& option) {
    const auto boot = parse_boot(words, disks);
    BOOST_TEST_REQUIRE(!boot.ok());
    BOOST_TEST(boot.error().message().starts_with(option), boot.error().message());
  };
  BootWords words;
  refused(words, "--kernel");
  words.kernel = "k";
  refused(words, "--initrd");
  words.initrd = "i";
  words.efi_vars = "v";
  refused(words, "--efi-vars");
  words.secure_boot = true;
  refused(words, "--secure-boot");
}

BOOST_AUTO_TEST_CASE(a_variable_is_given_or_passed_on) {
  BOOST_TEST((parse_env("A=b=c").value() == std::pair<std::string, std::string>("A", "b=c")));
  BOOST_TEST((parse_env("A=").value() == std::pair<std::string, std::string>("A", "")));
  ::setenv("CAPSA_TEST_VARIABLE", "here", 1);
  BOOST_TEST(parse_env("CAPSA_TEST_VARIABLE").value().second == "here");
  ::unsetenv("CAPSA_TEST_VARIABLE");
  BOOST_TEST(!parse_env("CAPSA_TEST_VARIABLE").ok());
  BOOST_TEST(!parse_env("=x").ok());
  BOOST_TEST(!parse_env("").ok());
}

BOOST_AUTO_TEST_CASE(a_vsock_port_has_a_path_or_none) {
  BOOST_TEST(parse_vsock("1024", false).value() == VsockPortConfig::listen_auto(1024));
  BOOST_TEST(parse_vsock("1024:/tmp/a:b", true).value() ==
             VsockPortConfig::connect(1024, "/tmp/a:b"));
  for (const char* bad : {"", "x", "-1", "1024:", "4294967296", "1 ", ":/tmp/s"})
    BOOST_TEST(!parse_vsock(bad, false).ok(), bad);
}

BOOST_AUTO_TEST_CASE(memory_is_mib_or_has_a_suffix) {
  BOOST_TEST(parse_memory("512").value() == 512U);
  BOOST_TEST(parse_memory("512M").value() == 512U);
  BOOST_TEST(parse_memory("2G").value() == 2048U);
  for (const char* bad : {"", "G", "-1", "1.5G", "2T", "18446744073709551615G", "1GG"})
    BOOST_TEST(!parse_memory(bad).ok(), bad);
}

BOOST_AUTO_TEST_CASE(a_size_is_in_bytes_or_has_a_suffix) {
  BOOST_TEST(parse_size("512").value() == 512U);
  BOOST_TEST(parse_size("2k").value() == 2048U);
  BOOST_TEST(parse_size("3M").value() == 3U << 20);
  BOOST_TEST(parse_size("10G").value() == std::uint64_t{10} << 30);
  BOOST_TEST(parse_size("1T").value() == std::uint64_t{1} << 40);
  BOOST_TEST(parse_size("16777215T").value() == std::uint64_t{16777215} << 40);
  for (const char* bad : {"", "G", "-1", "1.5G", "2P", "16777216T", "18446744073709551616", "1GG"})
    BOOST_TEST(!parse_size(bad).ok(), bad);
}

BOOST_AUTO_TEST_CASE(seconds_may_have_a_fraction) {
  BOOST_TEST(parse_seconds("10").value().count() == 10000);
  BOOST_TEST(parse_seconds("0.25").value().count() == 250);
  for (const char* bad : {"", "0", "-1", "nan", "inf", "1s", "0.0001", "1e300"})
    BOOST_TEST(!parse_seconds(bad).ok(), bad);
}

BOOST_AUTO_TEST_CASE(words_are_divided_by_blanks_outside_of_quotes) {
  const std::vector<std::string> expected = {"a=1", "b=x y", "c", ""};
  BOOST_TEST(split_words("  a=1 b=\"x y\"\tc \"\"").value() == expected,
             boost::test_tools::per_element());
  BOOST_TEST(split_words("").value().empty());
  BOOST_TEST(!split_words("a \"b").ok());
}

BOOST_AUTO_TEST_CASE(an_unknown_backend_is_refused_with_the_known_ones) {
  BOOST_TEST((parse_backend("qemu").value() == Backend::Qemu));
  BOOST_TEST((parse_accelerator("tcg").value() == Accelerator::Tcg));
  BOOST_TEST(parse_backend("xen").error().hint() == "there are: auto, kvm, qemu");
  BOOST_TEST(parse_accelerator("hax").error().hint() == "there are: auto, kvm, tcg");
}

BOOST_AUTO_TEST_SUITE_END()
