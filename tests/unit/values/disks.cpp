#include <sys/wait.h>
#include <unistd.h>

#include <tests/unit/values/fixture.hpp>

using namespace capsa;
using namespace capsa::test;

namespace {

VmConfig with_disks(std::vector<DiskImage> disks) {
  VmConfig config;
  config.disks = std::move(disks);
  return config;
}

ValidateContext with_root_disk(const TemporaryDirectory& dir, DiskImage root) {
  auto context = big_host();
  const auto file = dir.file("boot");
  context.boot.emplace(file, file);
  context.boot->root_disk = std::move(root);
  return context;
}

/// validate() as somebody who is not root, for whom permissions mean nothing. In a process of its
/// own, which tells by its status: 0 where all of `parts` are in the refusal.
int refused_for_nobody(const VmConfig& config, std::initializer_list<std::string> parts) {
  const pid_t child = ::fork();
  if (child == 0) {
    constexpr uid_t kNobody = 65534;
    if (::geteuid() == 0 && ::setresuid(kNobody, kNobody, kNobody) != 0) ::_exit(3);
    const auto outcome = validate(config, big_host());
    if (outcome.ok()) ::_exit(2);
    for (const auto& part : parts)
      if (outcome.error().message().find(part) == std::string::npos) ::_exit(1);
    ::_exit(outcome.error().code() == ErrorCode::InvalidConfig ? 0 : 4);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(validate_disks)

BOOST_AUTO_TEST_CASE(files_that_exist_are_accepted) {
  TemporaryDirectory dir;
  check_accepted(validate(with_disks({dir.file("a"), dir.file("b.qcow2")}), big_host()));
  check_accepted(validate({}, with_root_disk(dir, dir.file("root.img"))));
}

BOOST_AUTO_TEST_CASE(the_image_is_a_file_or_block_device_that_exists) {
  TemporaryDirectory dir;
  const auto good = dir.file("good");
  check_refused(validate(with_disks({dir.path() / "none"}), big_host()),
                {"disk 1", "none", "No such file"});
  check_refused(validate(with_disks({good, dir.path() / "none"}), big_host()), {"disk 2", "none"});
  check_refused(validate(with_disks({dir.path()}), big_host()),
                {"disk 1", "neither a file nor a block device"});
  check_refused(validate(with_disks({"/dev/null"}), big_host()),
                {"disk 1", "/dev/null", "neither a file nor a block device"});
  check_refused(validate(with_disks({""}), big_host()), {"disk 1", "empty"});
  check_refused(validate(with_disks({std::filesystem::path(std::string("/a\0b", 4))}), big_host()),
                {"disk 1", "NUL"});
  check_refused(validate({}, with_root_disk(dir, dir.path() / "none")), {"root disk", "none"});
}

BOOST_AUTO_TEST_CASE(the_image_may_be_read_and_where_it_is_writable_written) {
  TemporaryDirectory dir;
  // Others may pass through the directory, and no more.
  std::filesystem::permissions(dir.path(), std::filesystem::perms(0711));
  const auto secret = dir.file("secret");
  std::filesystem::permissions(secret, std::filesystem::perms(0));
  const auto fixed = dir.file("fixed");
  std::filesystem::permissions(fixed, std::filesystem::perms(0444));
  BOOST_TEST(refused_for_nobody(with_disks({secret}), {"disk 1", "secret", "written"}) == 0);
  BOOST_TEST(refused_for_nobody(with_disks({DiskImage(secret).read_only()}),
                                {"disk 1", "secret", "read"}) == 0);
  BOOST_TEST(refused_for_nobody(with_disks({fixed}), {"disk 1", "fixed", "written"}) == 0);
  // Accepted: there is nothing to refuse.
  BOOST_TEST(refused_for_nobody(with_disks({DiskImage(fixed).read_only()}), {}) == 2);
}

BOOST_AUTO_TEST_CASE(a_disk_that_firmware_boots_is_checked_as_the_others_are) {
  TemporaryDirectory dir;
  auto context = big_host();
  context.uefi.emplace(dir.file("boot.img"));
  check_accepted(validate(with_disks({dir.file("a")}), context));
  check_refused(validate(with_disks({dir.path() / "boot.img"}), context),
                {"disk 1", "is the boot disk already"});
  context.uefi->disk = dir.path() / "none";
  check_refused(validate({}, context), {"boot disk", "none", "No such file"});
}

BOOST_AUTO_TEST_CASE(the_file_with_the_firmwares_variables_has_a_path) {
  TemporaryDirectory dir;
  auto context = big_host();
  context.uefi.emplace(dir.file("boot.img"));
  // The file itself is looked at by whoever knows the firmware.
  context.uefi->efi_variable_store = dir.path() / "store";
  check_accepted(validate({}, context));
  context.uefi->efi_variable_store = "";
  check_refused(validate({}, context), {"efi_variable_store", "no path"});
  context.uefi->efi_variable_store = std::filesystem::path(std::string("/a\0b", 4));
  check_refused(validate({}, context), {"efi_variable_store", "NUL"});
}

BOOST_AUTO_TEST_CASE(a_serial_has_at_most_20_printable_bytes) {
  TemporaryDirectory dir;
  const auto file = dir.file("a");
  const auto with = [&file](std::string serial) {
    return with_disks({DiskImage(file).with_serial(std::move(serial))});
  };
  check_accepted(validate(with(std::string(20, 's')), big_host()));
  check_refused(validate(with(std::string(21, 's')), big_host()),
                {"disk 1", std::string(21, 's'), "at most 20"});
  check_refused(validate(with("a\nb"), big_host()), {"disk 1", "a\\nb"});
  check_refused(validate(with(std::string("a\0b", 3)), big_host()), {"disk 1"});
}

BOOST_AUTO_TEST_CASE(an_image_is_given_twice_only_where_both_are_read_only) {
  TemporaryDirectory dir;
  const auto file = dir.file("a");
  const auto fixed = DiskImage(file).read_only();
  check_accepted(validate(with_disks({fixed, dir.file("b"), fixed}), big_host()));
  check_refused(validate(with_disks({file, dir.file("b"), file}), big_host()),
                {"disk 3", "is the disk 1 already"});
  check_refused(validate(with_disks({fixed, file}), big_host()), {"disk 2", "disk 1"});
  check_refused(validate(with_disks({file, fixed}), big_host()), {"disk 2", "disk 1"});
  check_refused(validate(with_disks({file}), with_root_disk(dir, file)), {"disk 1", "root disk"});
}

BOOST_AUTO_TEST_CASE(an_overlay_only_reads_its_base_which_others_may_do_too) {
  TemporaryDirectory dir;
  const auto base = dir.file("base");
  const auto overlay = DiskImage::overlay_of(base);
  check_accepted(validate(with_disks({overlay, overlay, DiskImage(base).read_only()}), big_host()));
  check_refused(validate(with_disks({overlay, base}), big_host()), {"disk 2", "disk 1", "base"});
  check_refused(validate(with_disks({base, overlay}), big_host()), {"disk 2", "disk 1", "base"});
  check_refused(validate(with_disks({DiskImage::overlay_of(dir.path() / "none")}), big_host()),
                {"disk 1", "none"});
  check_refused(validate(with_disks({DiskImage::overlay_of("nbd://localhost/disk")}), big_host()),
                {"disk 1", "overlay", "NBD"});
  std::filesystem::permissions(dir.path(), std::filesystem::perms(0711));
  std::filesystem::permissions(base, std::filesystem::perms(0444));
  BOOST_TEST(refused_for_nobody(with_disks({overlay}), {}) == 2);  // accepted
  std::filesystem::permissions(base, std::filesystem::perms(0));
  BOOST_TEST(refused_for_nobody(with_disks({overlay}), {"disk 1", "base", "read"}) == 0);
}

BOOST_AUTO_TEST_CASE(a_remote_disk_is_no_file_and_has_no_format) {
  for (const char* uri : {"nbd://localhost:10809/export", "nbds://localhost/",
                          "nbd+unix:///?socket=/no/such/socket", "nbds+unix:///?socket=/s"}) {
    check_accepted(validate(with_disks({uri}), big_host()));
    check_accepted(
        validate(with_disks({DiskImage::with_format(uri, ImageFormat::Raw)}), big_host()));
    // A server may let several in.
    check_accepted(validate(with_disks({uri, uri}), big_host()));
    check_refused(
        validate(with_disks({DiskImage::with_format(uri, ImageFormat::Qcow2)}), big_host()),
        {"disk 1", "NBD"});
  }
  check_refused(validate(with_disks({"http://localhost/disk"}), big_host()),
                {"disk 1", "http://localhost/disk"});
  check_refused(
      validate(with_disks({DiskImage("nbd://localhost/").with_serial(std::string(21, 's'))}),
               big_host()),
      {"disk 1", "at most 20"});
}

BOOST_AUTO_TEST_CASE(disks_and_shares_have_the_machines_devices_among_them) {
  TemporaryDirectory dir;
  const auto with = [&dir](std::size_t disks, std::size_t shares) {
    VmConfig config;
    for (std::size_t i = 0; i != disks; ++i)
      config.disks.emplace_back(dir.file("disk" + std::to_string(i)));
    for (std::size_t i = 0; i != shares; ++i)
      config.shares.push_back({"/", "tag" + std::to_string(i)});
    return config;
  };
  const auto context = with_root_disk(dir, dir.file("root"));
  check_accepted(validate(with(12, 10), context));
  const auto refused = validate(with(12, 11), context);
  BOOST_REQUIRE(!refused);
  BOOST_TEST((refused.error().code() == ErrorCode::UnsupportedFeature));
  BOOST_TEST(
      refused.error().message().find("11 and 13 were given; at most 23") != std::string::npos,
      refused.error().message());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(disk_images)

BOOST_AUTO_TEST_CASE(have_the_format_that_is_said_or_else_that_of_their_name) {
  BOOST_TEST((DiskImage("a.qcow2").effective_format() == ImageFormat::Qcow2));
  for (const char* name : {"a", "a.img", "a.QCOW2", "qcow2", "a.qcow2.raw"})
    BOOST_TEST((DiskImage(name).effective_format() == ImageFormat::Raw), name);
  BOOST_TEST(
      (DiskImage::with_format("a.qcow2", ImageFormat::Raw).effective_format() == ImageFormat::Raw));
}

BOOST_AUTO_TEST_CASE(say_in_print_whether_they_are_overlays) {
  BOOST_TEST(to_string(DiskImage::overlay_of("/b.qcow2")) ==
             "DiskImage{path=\"/b.qcow2\", format=qcow2, read_only=no, overlay=yes, serial=\"\"}");
  BOOST_TEST(to_string(DiskImage("/b")).find("overlay=no") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(are_remote_where_they_are_an_nbd_uri) {
  for (const char* uri : {"nbd://h/e", "nbds://h", "nbd+unix:///e?socket=/s", "nbds+unix:///e"})
    BOOST_TEST(DiskImage(uri).is_remote(), uri);
  for (const char* path : {"nbd:/h", "/nbd://h", "nbd", "./nbd://h", ""})
    BOOST_TEST(!DiskImage(path).is_remote(), path);
}

BOOST_AUTO_TEST_SUITE_END()
