#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <tests/conformance/disk_images.hpp>
#include <tests/conformance/guest_fixture.hpp>
#include <tests/conformance/image_parts.hpp>
#include <tests/support/scratch_dir.hpp>

using namespace capsa;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

// An emulated machine of two busy cores takes a while for a whole Debian.
constexpr auto kBoot = 240s;

/// A Debian by debootstrap, made once for all: see debian_root.
const fs::path& debian() {
  static const fs::path directory = [] {
    const auto made = test::run_on_host(std::string(DEBIAN_ROOT) + " " + DEBIAN_DIRECTORY);
    if (made.status == 77) {
      std::cerr << made.output << std::flush;
      std::_Exit(77);
    }
    if (made.status != 0) throw std::runtime_error(made.output);
    return fs::path(DEBIAN_DIRECTORY);
  }();
  return directory;
}

/// The machine that somebody has who types what the README says, with nothing of the prepared
/// guest.
VmHandle debian_vm(const fs::path& disk) {
  return test::runtime()
      .vm(LinuxDirectBootConfig(debian() / "vmlinuz", debian() / "initrd.img")
              .with_root_disk(DiskImage(disk)))
      .memory_mb(512)
      .console_enabled()
      .timeout(kBoot)
      .build()
      .get();
}

/// Boots it to its login and in; and off again, by itself, after the commands.
void session(const VmHandle& vm, const std::function<void(Console&)>& commands) {
  auto console = vm.console().get();
  vm.start().get();
  console.wait_for("debian login: ").get();
  console.write_line("").get();
  console.login("root", "capsa").get();
  commands(console);
  console.write_line("systemctl poweroff").get();
  BOOST_TEST((vm.wait().get() == std::optional<int>(0)));
}

void keeps_its_files(const fs::path& disk) {
  const auto vm = debian_vm(disk);
  session(vm, [](Console& console) {
    BOOST_TEST(console.exec("cat /etc/hostname", 60s).get().output == "debian\n");
    BOOST_TEST(console.exec("python3 -c 'print(6*7)'", 60s).get().output == "42\n");
    auto made = console.exec(
        "mkdir /srv/kept && for i in 1 2 3; do seq 100000 > /srv/kept/$i; done; "
        "cp -a /usr/bin /srv/kept/bin; ln -s bin/ls /srv/kept/link",
        120s);
    BOOST_TEST(made.get().status == 0);
    BOOST_TEST(console.exec("findmnt -no SOURCE,FSTYPE /", 60s).get().output == "/dev/vda ext4\n");
  });
  session(vm, [](Console& console) {
    const auto same =
        console
            .exec(
                "cmp /srv/kept/1 /srv/kept/3 && diff -r --no-dereference /usr/bin /srv/kept/bin && "
                "seq 100000 | cmp - /srv/kept/2 && readlink /srv/kept/link",
                120s)
            .get();
    BOOST_TEST(same.output == "bin/ls\n");
    BOOST_TEST(same.status == 0);
    BOOST_TEST(
        console.exec("dmesg --level=err,crit,alert,emerg | grep -i ext4", 60s).get().output == "");
  });
}

/// Whether the file system of a raw image is whole, by the checker's own words.
void is_clean(const fs::path& raw) {
  const auto checked = test::run_on_host("PATH=$PATH:/usr/sbin:/sbin e2fsck -fn " + raw.string());
  BOOST_TEST(checked.status == 0, checked.output);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(a_debian_by_debootstrap)

BOOST_AUTO_TEST_CASE(boots_to_login_and_keeps_its_files_on_a_raw_disk) {
  const tests::ScratchDir scratch;
  const auto disk = scratch.path() / "root.img";
  BOOST_TEST_REQUIRE(test::run_on_host("cp --sparse=always " + (debian() / "root.img").string() +
                                       " " + disk.string())
                         .status == 0);
  keeps_its_files(disk);
  is_clean(disk);
}

BOOST_AUTO_TEST_CASE(boots_to_login_and_keeps_its_files_on_a_qcow2_disk) {
  const tests::ScratchDir scratch;
  const auto disk = scratch.path() / "root.qcow2";
  BOOST_TEST_REQUIRE(test::run_on_host("qemu-img convert -f raw -O qcow2 " +
                                       (debian() / "root.img").string() + " " + disk.string())
                         .status == 0);
  keeps_its_files(disk);
  BOOST_TEST(test::check_image(disk) == 0);
  const auto raw = scratch.path() / "root.img";
  BOOST_TEST_REQUIRE(
      test::run_on_host("qemu-img convert -f qcow2 -O raw " + disk.string() + " " + raw.string())
          .status == 0);
  is_clean(raw);
}

BOOST_AUTO_TEST_CASE(is_an_image_that_comes_from_a_registry_and_is_kept) {
  const tests::ScratchDir scratch;
  test::guest();  // found in the user's own cache, before another one takes its place
  debian();
  ::setenv("XDG_CACHE_HOME", (scratch.path() / "cache").c_str(), 1);
  const auto registry = test::LoopbackRegistry::start(scratch.path());
  if (!registry || std::system("command -v skopeo >/dev/null") != 0) {
    BOOST_TEST_MESSAGE("skipped: docker-registry or skopeo is not installed");
    return;
  }
  std::ostringstream tar;
  tar << std::ifstream(debian() / "root.tar", std::ios::binary).rdbuf();
  tests::OciLayoutBuilder layout(scratch.path() / "layout");
  layout.add({.layers = {{tar.str()}}, .config = R"({"Cmd":["/bin/bash"]})"});
  BOOST_TEST_REQUIRE(registry->push(layout, "debian:12"));
  const auto run = [&](std::vector<std::string> words, ImageOptions options) {
    std::string out;
    auto vm = test::sandbox()
                  .memory_mb(256)
                  .oci(registry->name_of("debian:12"), std::move(words), std::move(options))
                  .on_output({[&out](std::string_view text) { out += text; }, {}})
                  .build()
                  .get();
    BOOST_TEST((vm.wait().get() == std::optional<int>(0)));
    return out;
  };
  BOOST_TEST(run({"python3", "-c", "print(6*7)"}, {.insecure = true}) == "42\n");
  registry->stop();
  BOOST_TEST(run({"bash", "-c", ". /etc/os-release; echo $VERSION_CODENAME $((6*7))"}, {}) ==
             "bookworm 42\n");
}

BOOST_AUTO_TEST_SUITE_END()
