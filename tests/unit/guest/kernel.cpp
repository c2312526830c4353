#include <boost/test/unit_test.hpp>
#include <set>
#include <sstream>
#include <tests/unit/guest/packages.hpp>
#include <tools/guest/kernel.hpp>

using namespace capsa;
using namespace capsa::guest;
using namespace capsa::guest::samples;

namespace fs = std::filesystem;

namespace {

using Options = std::vector<std::string>;

constexpr const char* kRelease = "6.1.0-1-cloud-amd64";

/// A kernel package, as a directory that the fake dpkg-deb copies.
void make_kernel_package(const fs::path& directory, const std::string& image) {
  const auto modules = directory / "lib/modules" / kRelease;
  fs::create_directories(directory / "boot");
  fs::create_directories(modules / "kernel/net");
  BOOST_REQUIRE(write_file(directory / "boot" / ("vmlinuz-" + std::string(kRelease)), image).ok());
  BOOST_REQUIRE(write_file(modules / "modules.builtin",
                           "kernel/virtio_mmio.ko\nkernel/virtio_console.ko\nkernel/virtiofs.ko\n"
                           "kernel/virtio_rng.ko\nkernel/virtio_net.ko\nkernel/virtio_blk.ko\n"
                           "kernel/erofs.ko\nkernel/overlay.ko\n")
                    .ok());
  BOOST_REQUIRE(write_file(modules / "kernel/net/vmw_vsock_virtio_transport.ko",
                           make_module(std::string("depends=vsock") + '\0'))
                    .ok());
  BOOST_REQUIRE(
      write_file(modules / "kernel/evdev.ko", make_module(std::string("depends=") + '\0')).ok());
  BOOST_REQUIRE(write_file(modules / "kernel/net/vsock.ko.xz",
                           pack_xz(make_module(std::string("depends=") + '\0')))
                    .ok());
}

void fake_apt(FakePrograms& programs, const fs::path& package) {
  programs.add("apt-cache",
               "case \"$1\" in depends) echo \"  Depends: linux-image-" + std::string(kRelease) +
                   "\"; echo '  Depends: linux-source-6.1';; *) echo 'Version: 6.1.192-2';; esac");
  programs.add("apt-get", "echo fetched >>" + (programs.directory() / "calls").string() +
                              "; echo x >package.deb");
  programs.add("dpkg-deb", "cp -r " + package.string() + "/. \"$3\"");
}

}  // namespace

namespace {

/// A cache, and a host whose apt has one kernel package.
struct Host {
  explicit Host(const std::string& elf = make_vmlinux()) {
    make_kernel_package(package.path(), make_bzimage(pack_gzip(elf)));
    fake_apt(programs, package.path());
  }
  std::string calls() const { return *read_file(programs.directory() / "calls", 1000); }

  Scratch root;
  Scratch package;
  FakePrograms programs;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(kernels)

BOOST_AUTO_TEST_CASE(a_stock_kernel_is_made_from_its_package_once) {
  const auto elf = make_vmlinux();
  const Host host(elf);
  for (int i = 0; i < 2; ++i) {
    const auto kernel = stock_kernel(host.root.path(), false, {});
    BOOST_REQUIRE_MESSAGE(kernel.ok(), (kernel.ok() ? "" : kernel.error().what()));
    BOOST_TEST(kernel->version == kRelease);
    BOOST_TEST((*read_file(kernel->directory / "vmlinux", 1 << 20) == elf));
    const std::vector<std::vector<fs::path>> expected = {
        {"kernel/net/vsock.ko", "kernel/net/vmw_vsock_virtio_transport.ko"}, {"kernel/evdev.ko"}};
    BOOST_TEST((kernel->modules == expected));
    for (const auto& group : kernel->modules)
      for (const auto& module : group)
        BOOST_TEST(fs::exists(kernel->directory / "modules" / module));
  }
  BOOST_TEST(host.calls() == "fetched\n");
  // Nothing is left of the way there.
  BOOST_TEST(std::distance(fs::directory_iterator(host.root.path()), fs::directory_iterator{}) ==
             1);
}

BOOST_AUTO_TEST_CASE(a_kernel_that_was_cut_short_in_the_cache_is_made_again) {
  const auto elf = make_vmlinux();
  const Host host(elf);
  const auto first = stock_kernel(host.root.path(), false, {});
  BOOST_TEST_REQUIRE(first.ok());
  fs::resize_file(first->directory / "vmlinux", 10);
  const auto second = stock_kernel(host.root.path(), false, {});
  BOOST_TEST_REQUIRE(second.ok());
  BOOST_TEST((*read_file(second->directory / "vmlinux", 1 << 20) == elf));
}

BOOST_AUTO_TEST_CASE(a_kernel_is_made_anew_where_that_is_asked_for) {
  const Host host;
  BOOST_TEST(stock_kernel(host.root.path(), false, {}).ok());
  BOOST_TEST(stock_kernel(host.root.path(), true, {}).ok());
  BOOST_TEST(host.calls() == "fetched\nfetched\n");
}

BOOST_AUTO_TEST_CASE(without_package_lists_the_last_kernel_in_the_cache_is_taken) {
  const Scratch root;
  const Scratch package;
  make_kernel_package(package.path(), make_bzimage(pack_gzip(make_vmlinux())));
  {
    FakePrograms programs;
    fake_apt(programs, package.path());
    BOOST_TEST_REQUIRE(stock_kernel(root.path(), false, {}).ok());
  }
  FakePrograms programs;
  programs.add("apt-cache", "exit 100");
  const auto kernel = stock_kernel(root.path(), false, {});
  BOOST_TEST_REQUIRE(kernel.ok());
  BOOST_TEST(kernel->version == kRelease);
  BOOST_TEST(!stock_kernel(root.path(), true, {}).ok());
  BOOST_TEST(!last_kernel(root.path(), true));
}

BOOST_AUTO_TEST_CASE(a_damaged_kernel_leaves_nothing_in_the_cache) {
  const Scratch root;
  const Scratch package;
  make_kernel_package(package.path(), "no kernel");
  FakePrograms programs;
  fake_apt(programs, package.path());
  const auto kernel = stock_kernel(root.path(), false, {});
  BOOST_REQUIRE(!kernel.ok());
  BOOST_TEST((kernel.error().code() == ErrorCode::InvalidConfig));
  BOOST_TEST(fs::is_empty(root.path()));
}

BOOST_AUTO_TEST_CASE(missing_build_tools_are_listed_in_one_line) {
  const Scratch root;
  FakePrograms programs(true);
  programs.add("apt-cache",
               "case \"$1\" in depends) echo '  Depends: linux-source-6.1';; "
               "*) echo 'Version: 6.1.192-2';; esac");
  for (const char* tool : {"make", "ld", "strip", "tar", "xz"})
    programs.add(tool, "exit 0");
  const auto kernel = tuned_kernel(root.path(), "CONFIG_A=y\n", false, 1, {});
  BOOST_REQUIRE(!kernel.ok());
  BOOST_TEST((kernel.error().code() == ErrorCode::NotFound));
  BOOST_TEST(kernel.error().hint() ==
             "run: apt-get install gcc flex bison bc libelf-dev libc6-dev");
}

BOOST_AUTO_TEST_CASE(a_known_tuned_kernel_needs_no_tools) {
  const Scratch root;
  FakePrograms programs(true);
  programs.add("apt-cache",
               "case \"$1\" in depends) echo '  Depends: linux-source-6.1';; "
               "*) echo 'Version: 6.1.192-2';; esac");
  const std::string config = "CONFIG_A=y\n";
  const auto directory =
      kernels_directory(root.path()) / entry_name(true, "6.1.192-2", config_key(config));
  fs::create_directories(directory);
  BOOST_REQUIRE(write_file(directory / "vmlinux", make_vmlinux()).ok());
  BOOST_REQUIRE(write_kernel({directory, "6.1.192-capsa"}).ok());
  const auto kernel = tuned_kernel(root.path(), config, false, 1, {});
  BOOST_REQUIRE(kernel.ok());
  BOOST_TEST(kernel->version == "6.1.192-capsa");
  BOOST_TEST(!tuned_kernel(root.path(), "CONFIG_B=y\n", false, 1, {}).ok());
}

BOOST_AUTO_TEST_CASE(options_that_did_not_survive_are_named) {
  const std::string actual =
      "CONFIG_A=y\n# CONFIG_B is not set\nCONFIG_NR=8\nCONFIG_NAME=\"x\"\nCONFIG_ON=y\n";
  BOOST_TEST(dropped_options("# why\nCONFIG_A=y\n\n# CONFIG_B is not set\nCONFIG_NAME=\"x\"\n"
                             "# CONFIG_NEVER_HEARD_OF is not set\n",
                             actual)
                 .empty());
  BOOST_TEST((dropped_options("CONFIG_B=y\nCONFIG_NR=64\nCONFIG_GONE=y\n# CONFIG_ON is not set\n",
                              actual) ==
              Options{"CONFIG_B=y", "CONFIG_NR=64", "CONFIG_GONE=y", "# CONFIG_ON is not set"}));
}

BOOST_AUTO_TEST_CASE(a_comment_does_not_make_another_kernel) {
  const auto key = config_key("CONFIG_A=y\n# CONFIG_B is not set\n");
  BOOST_TEST(config_key("# why\nCONFIG_A=y\n\n# CONFIG_B is not set\n") == key);
  BOOST_TEST(config_key("CONFIG_A=y\n") != key);
  BOOST_TEST(config_key("CONFIG_A=m\n# CONFIG_B is not set\n") != key);
}

BOOST_AUTO_TEST_CASE(the_list_that_comes_along_names_each_option_once) {
  std::set<std::string> names;
  std::istringstream lines{std::string(tuned_kernel_config())};
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("CONFIG_"))
      BOOST_TEST(names.insert(line.substr(0, line.find('='))).second, line << " is there twice");
    else
      BOOST_TEST((line.empty() || line.starts_with("# ")), "neither option nor comment: " << line);
  }
  for (const char* name : {"CONFIG_PVH", "CONFIG_VIRTIO_MMIO", "CONFIG_VIRTIO_VSOCKETS",
                           "CONFIG_EROFS_FS", "CONFIG_OVERLAY_FS"})
    BOOST_TEST(names.contains(name), name);
}

BOOST_AUTO_TEST_SUITE_END()
