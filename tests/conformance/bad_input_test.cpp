#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <tests/conformance/guest_fixture.hpp>
#include <tests/conformance/host_state.hpp>

using namespace capsa;
using namespace std::chrono_literals;
using test::guest_vm;
using test::runtime;

namespace {

/// What build(), or the start after it, refuses with; the process must hold nothing more
/// afterwards.
capsa::error refused(VmBuilder builder) {
  auto built = std::move(builder).build().result();
  if (!built.ok()) return built.error();
  const auto started = (*built).start().result();
  return started.ok() ? capsa::error(ErrorCode::Internal, "was accepted") : started.error();
}

void check(VmBuilder builder, ErrorCode code, const std::string& names) {
  const auto e = refused(std::move(builder));
  BOOST_TEST(e.code() == code, names << ": " << e.what());
  BOOST_TEST(e.message().find(names) != std::string::npos, names << " not in: " << e.message());
  BOOST_TEST(!e.hint().empty(), "no hint: " << e.what());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(bad_input)

BOOST_AUTO_TEST_CASE(every_bad_value_is_refused_by_name_before_anything_starts) {
  runtime();  // its threads and descriptors are there before and after
  const auto before = test::host_state();
  const auto& kernel = test::guest().kernel;
  const auto& initrd = test::guest().initrd;
  auto vm = [] { return guest_vm(runtime()); };
  const auto invalid = ErrorCode::InvalidConfig;
  check(runtime().vm({"/no/kernel", initrd}), invalid, "/no/kernel");
  check(runtime().vm({kernel, "/no/initrd"}), invalid, "/no/initrd");
  check(runtime().vm({kernel, "/"}), invalid, "initrd");
  check(vm().cpus(0), invalid, "cpus");
  check(vm().cpus(256), invalid, "cpus");
  check(vm().memory_mb(0), invalid, "memory_mb");
  check(vm().memory_mb(1ULL << 40), invalid, "memory_mb");
  check(vm().timeout(0ms), invalid, "timeout");
  check(vm().share("no/such/dir", "tag"), invalid, "no/such/dir");
  check(vm().share("/etc/passwd", "tag"), invalid, "/etc/passwd");
  check(vm().share("/tmp", ""), invalid, "tag");
  check(vm().share("/tmp", "one").share("/var", "one"), invalid, "one");
  check(vm().vsock_listen(0), invalid, "port");
  check(vm().vsock_listen(1024).vsock_connect(1024), invalid, "1024");
  check(vm().vsock_listen_at(1024, "/no/such/dir/x.sock"), invalid, "/no/such/dir");
  check(vm().vsock_listen_at(1024, "/tmp/" + std::string(120, 'x')), invalid, "socket");
  check(vm().cmdline_arg("key", std::string(3000, 'v')), invalid, "command line");
  check(vm().cmdline_flag("two\nlines"), invalid, "command line");
  const auto sandbox = test::sandbox().run("true").env("bad=name", "x").build().result();
  BOOST_TEST_REQUIRE(!sandbox.ok());
  BOOST_TEST(sandbox.error().code() == invalid);
  const auto small = test::sandbox().memory_mb(40).run("true").build().result();
  BOOST_TEST_REQUIRE(!small.ok());
  BOOST_TEST(small.error().code() == invalid);
  BOOST_TEST(small.error().message().find("memory_mb") != std::string::npos);
  const auto target = test::sandbox().share("/tmp", "../up").run("true").build().result();
  BOOST_TEST_REQUIRE(!target.ok());
  BOOST_TEST(target.error().code() == invalid);
  BOOST_TEST(test::eventually([&] { return runtime().live_vms() == 0; }));
  BOOST_TEST(test::eventually([&] { return test::host_state().fds <= before.fds; }));
  BOOST_TEST(test::host_state().children == 0U);
}

BOOST_AUTO_TEST_CASE(a_relative_share_path_starts_at_the_working_directory) {
  const auto dir = std::filesystem::temp_directory_path() / "capsa-relative";
  std::filesystem::create_directories(dir / "below");
  std::ofstream(dir / "below/file") << "relative";
  std::filesystem::current_path(dir);
  auto vm = guest_vm(runtime()).share("./below", "below").agent_enabled().build().get();
  vm.start().get();
  auto agent = vm.agent().get();
  const auto out = agent.exec("mkdir -p /m && mount -t virtiofs below /m && cat /m/file").get();
  BOOST_TEST(out.status.code == 0);
  BOOST_TEST(out.stdout_data == "relative");
  std::filesystem::current_path("/");
  vm.kill().get();
  std::filesystem::remove_all(dir);
}

BOOST_AUTO_TEST_CASE(a_corrupt_initrd_ends_the_vm_with_the_kernels_words) {
  const auto path = std::filesystem::temp_directory_path() / "capsa-corrupt-initrd";
  std::ofstream(path) << test::random_bytes(4096, 7);
  LinuxDirectBootConfig boot(test::guest().kernel, path);
  boot.acpi = test::guest().acpi;
  auto vm = runtime().vm(boot).build().get();
  vm.start().get();
  const auto end = vm.wait_timeout(60s).result();
  BOOST_TEST_REQUIRE(!end.ok());
  BOOST_TEST(end.error().code() == ErrorCode::VmEnded);
  BOOST_TEST(end.error().message().find("panic") != std::string::npos, end.error().message());
  std::filesystem::remove(path);
}

BOOST_AUTO_TEST_CASE(a_machine_without_qemu_says_what_to_install) {
  RuntimeOptions options;
  options.qemu = "/no/such/qemu";
  Runtime own(options);
  const auto e = refused(guest_vm(own).backend(Backend::Qemu));
  BOOST_TEST(e.code() == ErrorCode::BackendUnavailable);
  BOOST_TEST(e.hint().find("qemu") != std::string::npos, e.what());
}

BOOST_AUTO_TEST_CASE(a_qemu_that_ends_at_once_is_reported_in_its_own_words) {
  const auto script = std::filesystem::temp_directory_path() / "capsa-bad-qemu";
  std::ofstream(script)
      << "#!/bin/sh\ncase $1 in --version) exec qemu-system-x86_64 --version;; esac\n"
         "echo 'qemu-system-x86_64: cannot set up guest memory: "
         "Cannot allocate memory' >&2\nexit 1\n";
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  RuntimeOptions options;
  options.qemu = script;
  Runtime own(options);
  const auto e = refused(guest_vm(own).backend(Backend::Qemu));
  BOOST_TEST(e.code() == ErrorCode::BackendFailed, e.what());
  BOOST_TEST(e.message().find("Cannot allocate memory") != std::string::npos, e.what());
  std::filesystem::remove(script);
}

BOOST_AUTO_TEST_SUITE_END()
