#include <backends/program/program.hpp>
#include <boost/test/unit_test.hpp>
#include <tests/unit/guest/packages.hpp>
#include <tools/guest/initrd.hpp>

using namespace capsa;
using namespace capsa::guest;
using namespace capsa::guest::samples;

namespace fs = std::filesystem;

namespace {

/// A kernel with two modules, in a directory of its own.
class SampleKernel {
 public:
  SampleKernel() : kernel_{directory_.path(), "6.1.0", {{"kernel/b.ko"}, {"kernel/net/a.ko"}}} {
    fs::create_directories(directory_.path() / "modules/kernel/net");
    BOOST_REQUIRE(write_file(directory_.path() / "modules/kernel/b.ko", "module b").ok());
    BOOST_REQUIRE(write_file(directory_.path() / "modules/kernel/net/a.ko", "module a").ok());
  }
  const Kernel& get() const { return kernel_; }

 private:
  Scratch directory_;
  Kernel kernel_;
};

InitrdParts parts_with(const Kernel& kernel) {
  return {make_program(), make_program(), {"bin/sh", "usr/sbin/chroot", "opt/new/tool"}, kernel};
}

}  // namespace

BOOST_AUTO_TEST_SUITE(initrds)

BOOST_AUTO_TEST_CASE(everything_is_in_its_place) {
  if (!program::run({.words = {"cpio", "--version"}})) {
    BOOST_TEST_MESSAGE("skipped: there is no cpio program");
    return;
  }
  const SampleKernel kernel;
  const auto initrd = build_initrd(parts_with(kernel.get()));
  BOOST_REQUIRE(initrd.ok());
  const Scratch out;
  BOOST_REQUIRE(write_file(out.path() / "initrd", *initrd).ok());
  const auto root = out.path() / "root";
  fs::create_directory(root);
  // Device nodes are for root to make; all else is looked at.
  const auto unpacked = program::run(
      {.words = {"cpio", "-idu", "--quiet", "-F", (out.path() / "initrd").string(), "-f", "dev/*"},
       .directory = root});
  BOOST_REQUIRE_MESSAGE(unpacked.ok(), (unpacked.ok() ? "" : unpacked.error().what()));
  BOOST_TEST((*read_file(root / "init", 1 << 20) == make_program()));
  BOOST_TEST((fs::status(root / "init").permissions() == fs::perms(0755)));
  for (const char* applet : {"bin/sh", "usr/sbin/chroot", "opt/new/tool"})
    BOOST_TEST(fs::read_symlink(root / applet) == "/bin/busybox");
  BOOST_TEST(*read_file(root / "etc/capsa/modules", 1000) ==
             "/lib/modules/6.1.0/kernel/b.ko\n\n/lib/modules/6.1.0/kernel/net/a.ko\n");
  BOOST_TEST(*read_file(root / "lib/modules/6.1.0/kernel/net/a.ko", 1000) == "module a");
  for (const char* file : {"etc/passwd", "etc/group", "etc/hosts", "etc/resolv.conf"})
    BOOST_TEST(fs::is_regular_file(root / file), file);
  for (const char* directory : {"dev", "proc", "sys", "run", "tmp", "mnt", "root"})
    BOOST_TEST(fs::is_directory(root / directory), directory);
  const auto names =
      program::run({.words = {"cpio", "-it", "--quiet", "-F", (out.path() / "initrd").string()}});
  BOOST_TEST(names->find("dev/console\n") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(the_same_parts_give_the_same_bytes) {
  const SampleKernel kernel;
  BOOST_TEST((*build_initrd(parts_with(kernel.get())) == *build_initrd(parts_with(kernel.get()))));
}

BOOST_AUTO_TEST_CASE(a_kernel_without_modules_has_an_empty_list) {
  const auto initrd = build_initrd(parts_with({{}, "6.1.0"}));
  BOOST_REQUIRE(initrd.ok());
  BOOST_TEST(initrd->find("etc/capsa/modules") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_program_that_needs_libraries_is_refused) {
  const SampleKernel kernel;
  auto parts = parts_with(kernel.get());
  parts.agent = make_elf({{1, "code"}, {3, "/lib64/ld-linux-x86-64.so.2"}});
  const auto initrd = build_initrd(parts);
  BOOST_REQUIRE(!initrd.ok());
  BOOST_TEST((initrd.error().code() == ErrorCode::InvalidConfig));
  BOOST_TEST(initrd.error().message().find("agent") != std::string::npos);
  BOOST_TEST(initrd.error().hint().find("-static") != std::string::npos);
  parts.agent = "#!/bin/sh";
  BOOST_TEST(!build_initrd(parts).ok());
}

BOOST_AUTO_TEST_CASE(a_module_that_is_gone_is_an_error) {
  auto parts = parts_with({"/nonexistent", "6.1.0", {{"kernel/a.ko"}}});
  BOOST_TEST((build_initrd(parts).error().code() == ErrorCode::NotFound));
}

BOOST_AUTO_TEST_SUITE_END()
