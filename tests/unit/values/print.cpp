#include <actors/values/text.hpp>
#include <boost/test/unit_test.hpp>
#include <capsa/config.hpp>
#include <capsa/status.hpp>
#include <sstream>

using namespace capsa;

BOOST_AUTO_TEST_SUITE(print)

BOOST_AUTO_TEST_CASE(a_status_is_printed_with_what_it_carries) {
  BOOST_TEST(to_string(VmStatus::created()) == "created");
  BOOST_TEST(to_string(VmStatus::starting()) == "starting");
  BOOST_TEST(to_string(VmStatus::running()) == "running");
  BOOST_TEST(to_string(VmStatus::stopping()) == "stopping");
  BOOST_TEST(to_string(VmStatus::stopped(137)) == "stopped(137)");
  BOOST_TEST(to_string(VmStatus::stopped(std::nullopt)) == "stopped(none)");
  BOOST_TEST(to_string(VmStatus::failed("why")) == "failed(why)");
  std::ostringstream out;
  out << VmStatus::running();
  BOOST_TEST(out.str() == "running");
}

BOOST_AUTO_TEST_CASE(every_kind_of_event_has_a_name) {
  BOOST_TEST(to_string(VmEvent::Kind::StatusChanged) == "status_changed");
  BOOST_TEST(to_string(VmEvent::Kind::AgentReady) == "agent_ready");
  BOOST_TEST(to_string(VmEvent::Kind::AgentLost) == "agent_lost");
  BOOST_TEST(to_string(VmEvent::Kind::Paused) == "paused");
  BOOST_TEST(to_string(VmEvent::Kind::Resumed) == "resumed");
  BOOST_TEST(to_string(VmEvent::Kind::ShareFailed) == "share_failed");
  BOOST_TEST(to_string(VmEvent::Kind::NetworkDenied) == "network_denied");
  BOOST_TEST(to_string(VmEvent::Kind::NetworkLogged) == "network_logged");
}

BOOST_AUTO_TEST_CASE(enumerators_are_printed_in_snake_case) {
  BOOST_TEST(to_string(MountMode::ReadOnly) == "read_only");
  BOOST_TEST(to_string(MountMode::ReadWrite) == "read_write");
  BOOST_TEST(to_string(Ownership::Passthrough) == "passthrough");
  BOOST_TEST(to_string(ShareCache::Always) == "always");
  BOOST_TEST(to_string(Backend::Qemu) == "qemu");
  BOOST_TEST(to_string(Accelerator::Kvm) == "kvm");
  BOOST_TEST(to_string(GuestOs::Linux) == "linux");
}

BOOST_AUTO_TEST_CASE(a_configuration_is_printed_whole) {
  VmConfig config;
  config.name = "web";
  config.resources = {2, 1024};
  config.shares = {{"/src", "src"}, {"/out", "out", MountMode::ReadWrite}};
  config.vsock_ports = {VsockPortConfig::listen(7, "/tmp/s"), VsockPortConfig::connect_auto(8)};
  config.command_line.add_flag("quiet");
  config.timeout = std::chrono::seconds(3);
  std::ostringstream out;
  out << config;
  BOOST_TEST(
      out.str() ==
      "VmConfig{name=\"web\", resources=ResourceConfig{cpus=2, memory=1024 MiB}, "
      "console=no, agent=no, shares=[ShareConfig{host_path=\"/src\", target=\"src\", "
      "mode=read_only, ownership=squash, cache=auto}, ShareConfig{host_path=\"/out\", "
      "target=\"out\", mode=read_write, ownership=squash, cache=auto}], disks=[], "
      "vsock_ports=[VsockPortConfig{listen, port=7, socket_path=\"/tmp/s\", "
      "auto_cleanup=yes}, VsockPortConfig{connect, port=8, socket_path=auto, "
      "auto_cleanup=yes}], network=none, command_line=\"quiet\", timeout=3000 ms, backend=auto, "
      "accelerator=auto, nested=no}");
}

BOOST_AUTO_TEST_CASE(a_boot_configuration_is_printed) {
  std::ostringstream out;
  out << LinuxDirectBootConfig("/k", "/i").without_acpi();
  BOOST_TEST(out.str() == "LinuxDirectBootConfig{kernel=\"/k\", initrd=\"/i\", acpi=no}");
}

BOOST_AUTO_TEST_CASE(an_override_and_a_refused_command_line_are_told_apart) {
  VmConfig config;
  config.command_line.override_with("a b");
  BOOST_TEST(to_string(config).find("command_line_override=\"a b\"") != std::string::npos);
  config.command_line.override_with("a\nb");
  BOOST_TEST(to_string(config).find("command_line_override=refused: ") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_could_mislead_a_terminal_is_escaped) {
  BOOST_TEST(text::quote("a\"b\\c\nd\te\x1b[0m\x7f") == R"("a\"b\\c\nd\te\x1b[0m\x7f")");
}

BOOST_AUTO_TEST_SUITE_END()
