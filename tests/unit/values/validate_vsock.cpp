#include <sys/socket.h>
#include <sys/un.h>

#include <capsa/detail/unique_fd.hpp>
#include <cstring>
#include <tests/unit/values/fixture.hpp>

using namespace capsa;
using namespace capsa::test;

namespace {

VmConfig with_ports(std::vector<VsockPortConfig> ports) {
  VmConfig config;
  config.vsock_ports = std::move(ports);
  return config;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(validate_vsock)

BOOST_AUTO_TEST_CASE(ports_1_to_4294967294_are_accepted) {
  check_accepted(validate(
      with_ports({VsockPortConfig::listen_auto(1), VsockPortConfig::connect_auto(4294967294U)}),
      big_host()));
  check_refused(validate(with_ports({VsockPortConfig::listen_auto(0)}), big_host()),
                {"port 0", "1 to 4294967294"});
  check_refused(validate(with_ports({VsockPortConfig::connect_auto(4294967295U)}), big_host()),
                {"4294967295", "1 to 4294967294"});
}

BOOST_AUTO_TEST_CASE(a_port_given_twice_is_refused) {
  check_refused(
      validate(with_ports({VsockPortConfig::listen_auto(7), VsockPortConfig::connect_auto(7)}),
               big_host()),
      {"vsock port 7", "twice"});
}

BOOST_AUTO_TEST_CASE(listening_on_the_agents_port_is_refused_where_there_is_an_agent) {
  auto config = with_ports({VsockPortConfig::listen_auto(52)});
  check_accepted(validate(config, big_host()));
  config.agent = true;
  check_refused(validate(config, big_host()), {"port 52", "agent"});
  config.vsock_ports = {VsockPortConfig::connect_auto(52)};
  check_accepted(validate(config, big_host()));
}

BOOST_AUTO_TEST_CASE(a_socket_path_of_108_bytes_is_too_long) {
  TemporaryDirectory dir;
  const auto room = 107 - dir.path().native().size() - 1;
  check_accepted(validate(
      with_ports({VsockPortConfig::listen(1, dir.path() / std::string(room, 's'))}), big_host()));
  check_refused(
      validate(with_ports({VsockPortConfig::listen(1, dir.path() / std::string(room + 1, 's'))}),
               big_host()),
      {"108 bytes", "at most 107"});
}

BOOST_AUTO_TEST_CASE(the_directory_of_a_socket_exists) {
  TemporaryDirectory dir;
  check_refused(
      validate(with_ports({VsockPortConfig::listen(1, dir.path() / "no" / "s")}), big_host()),
      {"no directory", "/no\""});
  check_refused(validate(with_ports({VsockPortConfig::listen(1, dir.file("f") / "s")}), big_host()),
                {"no directory"});
  check_refused(validate(with_ports({VsockPortConfig::listen(1, dir.path() / "")}), big_host()),
                {"names no file"});
}

BOOST_AUTO_TEST_CASE(a_file_at_the_sockets_path_is_kept_and_the_path_refused) {
  TemporaryDirectory dir;
  check_refused(validate(with_ports({VsockPortConfig::listen(1, dir.file("f"))}), big_host()),
                {"not a socket"});
  std::filesystem::create_symlink("nowhere", dir.path() / "link");
  check_refused(validate(with_ports({VsockPortConfig::listen(1, dir.path() / "link")}), big_host()),
                {"not a socket"});
}

BOOST_AUTO_TEST_CASE(an_old_socket_at_the_path_is_accepted) {
  TemporaryDirectory dir;
  const auto path = dir.path() / "old";
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::memcpy(address.sun_path, path.c_str(), path.native().size());
  BOOST_REQUIRE(::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  check_accepted(validate(with_ports({VsockPortConfig::listen(1, path)}), big_host()));
}

BOOST_AUTO_TEST_CASE(a_path_for_two_ports_is_refused) {
  TemporaryDirectory dir;
  check_refused(validate(with_ports({VsockPortConfig::listen(1, dir.path() / "s"),
                                     VsockPortConfig::connect(2, dir.path() / "." / "s")}),
                         big_host()),
                {"vsock port 2", "port 1"});
}

BOOST_AUTO_TEST_SUITE_END()
