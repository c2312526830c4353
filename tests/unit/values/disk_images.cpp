#include <tests/unit/values/fixture.hpp>

using namespace capsa;
using namespace capsa::test;

BOOST_AUTO_TEST_SUITE(new_disk_images)

BOOST_AUTO_TEST_CASE(have_the_format_of_their_name_or_the_one_that_is_said) {
  TemporaryDirectory dir;
  const auto begins_as_qcow2 = [](const std::filesystem::path& path) {
    std::string begin(3, '\0');
    std::ifstream(path).read(begin.data(), 3);
    return begin == "QFI";
  };
  for (const auto& [image, qcow2] :
       {std::pair(DiskImage(dir.path() / "a.img"), false),
        std::pair(DiskImage(dir.path() / "b.qcow2"), true),
        std::pair(DiskImage::with_format(dir.path() / "c.qcow2", ImageFormat::Raw), false),
        std::pair(DiskImage::with_format(dir.path() / "d", ImageFormat::Qcow2), true)}) {
    BOOST_TEST_REQUIRE(create_disk_image(image, 3U << 20).ok());
    BOOST_TEST(begins_as_qcow2(image.path) == qcow2);
    BOOST_TEST(disk_size(image).value() == 3U << 20);
    VmConfig config;
    config.disks = {image};
    check_accepted(validate(config, big_host()));
  }
  BOOST_TEST(disk_size(DiskImage::overlay_of(dir.path() / "b.qcow2")).value() == 3U << 20);
}

BOOST_AUTO_TEST_CASE(are_made_where_nothing_is_and_of_this_host) {
  TemporaryDirectory dir;
  check_refused(create_disk_image(dir.file("there"), 512), {"there", "something"});
  check_refused(create_disk_image(dir.path() / "odd", 513), {"odd", "513"});
  check_refused(create_disk_image("nbd://localhost/disk", 512), {"nbd://localhost/disk"});
  check_refused(create_disk_image(DiskImage::overlay_of(dir.path() / "base"), 512), {"base"});
  const auto remote = disk_size("nbd://localhost/disk");
  BOOST_REQUIRE(!remote);
  BOOST_TEST((remote.error().code() == ErrorCode::UnsupportedFeature));
}

BOOST_AUTO_TEST_SUITE_END()
