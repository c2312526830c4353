#include <backends/kvm_device.hpp>
#include <backends/qemu/probe.hpp>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <tests/support/scratch_dir.hpp>

using capsa::ErrorCode;
using capsa::hypervisor::probe_kvm;
using capsa::qemu::find_qemu;
using capsa::qemu::QemuVersion;
using capsa::tests::ScratchDir;

namespace {

std::string program_that_says(const std::string& text) {
  return "#!/bin/sh\n[ \"$1\" = --version ] && echo '" + text + "'\n";
}

}  // namespace

BOOST_AUTO_TEST_SUITE(probe)

BOOST_AUTO_TEST_CASE(the_explicit_path_comes_before_the_environment) {
  const ScratchDir scratch;
  const auto one = scratch.file("one", program_that_says("QEMU emulator version 8.0.1"), 0700);
  const auto two = scratch.file("two", program_that_says("QEMU emulator version 9.0.2"), 0700);
  ::setenv("CAPSA_QEMU", two.c_str(), 1);
  const auto by_environment = find_qemu();
  const auto by_path = find_qemu(one);
  ::unsetenv("CAPSA_QEMU");
  BOOST_TEST_REQUIRE(by_environment.ok());
  BOOST_TEST((by_environment->version == QemuVersion{9, 0, 2}));
  BOOST_TEST_REQUIRE(by_path.ok());
  BOOST_TEST(by_path->path == one);
  BOOST_TEST((by_path->version == QemuVersion{8, 0, 1}));
  BOOST_TEST(by_path->kvm == by_path->kvm_reason.empty());
}

BOOST_AUTO_TEST_CASE(an_old_qemu_is_refused_by_version) {
  const ScratchDir scratch;
  const auto old = scratch.file("old", program_that_says("QEMU emulator version 7.1.0"), 0700);
  const auto found = find_qemu(old);
  BOOST_TEST_REQUIRE(!found.ok());
  BOOST_TEST((found.error().code() == ErrorCode::UnsupportedFeature));
  BOOST_TEST(found.error().message().find("7.1.0") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_is_no_qemu_is_refused_with_a_hint) {
  const ScratchDir scratch;
  const auto other = scratch.file("other", program_that_says("hello"), 0700);
  const auto plain = scratch.file("plain", "text", 0600);
  for (const auto& path : {other, plain, scratch.path(), scratch.path() / "missing",
                           std::filesystem::path("no-such-qemu-program")}) {
    const auto found = find_qemu(path);
    BOOST_TEST_REQUIRE(!found.ok());
    BOOST_TEST((found.error().code() == ErrorCode::BackendUnavailable));
    BOOST_TEST(found.error().hint().find("apt-get install") != std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(a_missing_qemu_is_unavailable) {
  const ScratchDir scratch;
  const std::string old = std::getenv("PATH");
  ::setenv("PATH", scratch.path().c_str(), 1);
  const auto found = find_qemu();
  ::setenv("PATH", old.c_str(), 1);
  BOOST_TEST_REQUIRE(!found.ok());
  BOOST_TEST((found.error().code() == ErrorCode::BackendUnavailable));
}

BOOST_AUTO_TEST_CASE(kvm_is_unavailable_for_a_reason) {
  const ScratchDir scratch;
  const auto missing = probe_kvm(scratch.path() / "kvm");
  BOOST_TEST_REQUIRE(!missing.ok());
  BOOST_TEST((missing.error().code() == ErrorCode::BackendUnavailable));
  BOOST_TEST(!missing.error().hint().empty());
  const auto file = probe_kvm(scratch.file("kvm", "not a device"));
  BOOST_TEST_REQUIRE(!file.ok());
  BOOST_TEST(file.error().message().find("not a usable") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_kvm_in_software_is_not_chosen_for_anybody) {
  if (!capsa::hypervisor::open_kvm()) {
    BOOST_TEST_MESSAGE("skipped: /dev/kvm does not open");
    return;
  }
  const ScratchDir scratch;
  const auto plain = scratch.file("plain", "processor\t: 0\nflags\t\t: fpu svmx hypervisor\n");
  const auto refused = probe_kvm("/dev/kvm", plain);
  BOOST_TEST_REQUIRE(!refused.ok());
  BOOST_TEST((refused.error().code() == ErrorCode::BackendUnavailable));
  BOOST_TEST(refused.error().message().find("software") != std::string::npos);
  for (const auto* flags : {"flags : fpu vmx\n", "flags : svm\n", "no such line\n"})
    BOOST_TEST(probe_kvm("/dev/kvm", scratch.file("cpuinfo", flags)).ok());
}

BOOST_AUTO_TEST_SUITE_END()
