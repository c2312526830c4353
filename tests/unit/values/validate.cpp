#include <sys/stat.h>

#include <tests/unit/values/fixture.hpp>

using namespace capsa;
using namespace capsa::test;

BOOST_AUTO_TEST_SUITE(validate_configuration)

BOOST_AUTO_TEST_CASE(the_defaults_are_accepted) {
  check_accepted(validate(VmConfig{}, big_host()));
  check_accepted(validate(VmConfig{}, host_context()));
}

BOOST_AUTO_TEST_CASE(one_to_255_cpus_are_accepted) {
  VmConfig config;
  for (const unsigned cpus : {1U, 255U}) {
    config.resources.cpus = cpus;
    check_accepted(validate(config, big_host()));
  }
  config.resources.cpus = 0;
  check_refused(validate(config, big_host()), {"cpus", "0 was given", "1 to 255"});
  config.resources.cpus = 256;
  check_refused(validate(config, big_host()), {"cpus", "256 was given", "1 to 255"});
}

BOOST_AUTO_TEST_CASE(memory_is_32_mib_to_eight_times_the_hosts) {
  VmConfig config;
  for (const std::uint64_t mib : {32ULL, 8192ULL * 8}) {
    config.resources.memory_mb = mib;
    check_accepted(validate(config, big_host()));
  }
  config.resources.memory_mb = 31;
  check_refused(validate(config, big_host()), {"memory_mb", "31 MiB", "at least 32 MiB"});
  config.resources.memory_mb = 8192ULL * 8 + 1;
  check_refused(validate(config, big_host()), {"memory_mb", "65537 MiB", "at most 65536 MiB"});
  config.resources.memory_mb = ~0ULL;
  check_refused(validate(config, big_host()), {"memory_mb"});
}

BOOST_AUTO_TEST_CASE(this_host_has_memory_and_a_user) {
  const auto context = host_context();
  BOOST_TEST(context.host_memory_mb > 0);
  BOOST_TEST(context.root == (::geteuid() == 0));
}

BOOST_AUTO_TEST_CASE(kernel_and_initrd_are_readable_files_with_something_in_them) {
  TemporaryDirectory dir;
  auto context = big_host();
  const auto good = dir.file("good");
  context.boot.emplace(good, good);
  check_accepted(validate({}, context));
  context.boot->kernel = dir.path() / "missing";
  check_refused(validate({}, context), {"kernel", "missing", "No such file"});
  context.boot->kernel = dir.path();
  check_refused(validate({}, context), {"kernel", "not a regular file"});
  context.boot->kernel = dir.file("empty", "");
  check_refused(validate({}, context), {"kernel", "is empty"});
  context.boot->kernel.clear();
  check_refused(validate({}, context), {"kernel", "no path"});
  context.boot->kernel = good;
  context.boot->initrd = dir.path() / "missing";
  check_refused(validate({}, context), {"initrd", "missing"});
}

BOOST_AUTO_TEST_CASE(a_pipe_instead_of_a_kernel_is_refused_at_once) {
  TemporaryDirectory dir;
  const auto pipe = dir.path() / "pipe";
  BOOST_REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  auto context = big_host();
  context.boot.emplace(pipe, pipe);
  check_refused(validate({}, context), {"kernel", "not a regular file"});
}

BOOST_AUTO_TEST_CASE(a_kernel_that_may_not_be_read_is_refused) {
  if (::geteuid() == 0) return;  // root may read everything
  TemporaryDirectory dir;
  const auto closed = dir.file("closed");
  ::chmod(closed.c_str(), 0);
  auto context = big_host();
  context.boot.emplace(closed, closed);
  check_refused(validate({}, context), {"kernel", "cannot be read"});
}

BOOST_AUTO_TEST_CASE(a_timeout_is_positive_and_finite) {
  VmConfig config;
  config.timeout = std::chrono::milliseconds(1);
  check_accepted(validate(config, big_host()));
  config.timeout = std::chrono::milliseconds(0);
  check_refused(validate(config, big_host()), {"timeout", "0 ms"});
  config.timeout = std::chrono::milliseconds(-5);
  check_refused(validate(config, big_host()), {"timeout", "-5 ms"});
  config.timeout = std::chrono::milliseconds::max();
  check_refused(validate(config, big_host()), {"timeout", "36500 days"});
}

BOOST_AUTO_TEST_CASE(a_name_is_short_and_printable) {
  VmConfig config;
  config.name = std::string(64, 'n');
  check_accepted(validate(config, big_host()));
  config.name += 'n';
  check_refused(validate(config, big_host()), {"name", "65 bytes", "at most 64"});
  config.name = "a\nb";
  check_refused(validate(config, big_host()), {"name", "a\\nb"});
}

BOOST_AUTO_TEST_CASE(a_bad_command_line_is_refused) {
  VmConfig config;
  config.command_line.set("key", "a\"b");
  check_refused(validate(config, big_host()), {"kernel command line", "\"key\""});
}

BOOST_AUTO_TEST_CASE(relative_paths_start_at_the_working_directory) {
  VmConfig config;
  config.shares = {{"./src", "a"}, {"/abs", "b"}};
  config.vsock_ports = {VsockPortConfig::listen(1, "s"), VsockPortConfig::listen_auto(2)};
  const auto normal = normalize(config, "/home/me");
  BOOST_TEST(normal.shares[0].host_path == "/home/me/./src");
  BOOST_TEST(normal.shares[1].host_path == "/abs");
  BOOST_TEST(normal.vsock_ports[0].socket_path == "/home/me/s");
  BOOST_TEST(normal.vsock_ports[1].socket_path == "");
  const auto boot = normalize(LinuxDirectBootConfig("k", "../i"), "/home/me");
  BOOST_TEST(boot.kernel == "/home/me/k");
  BOOST_TEST(boot.initrd == "/home/me/../i");
}

BOOST_AUTO_TEST_SUITE_END()
