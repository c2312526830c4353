#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <tests/conformance/net_guest.hpp>
#include <tests/conformance/net_servers.hpp>

using namespace capsa;
namespace fs = std::filesystem;

BOOST_AUTO_TEST_SUITE(a_flow_log)

BOOST_AUTO_TEST_CASE(has_a_line_for_each_connection) {
  const auto file = fs::temp_directory_path() / "capsa-network-test.flows";
  test::TcpServer echo(IpAddress::v4(127, 0, 0, 1), 0, test::serve_echo);
  test::NetGuest guest(NetworkMode::user_nat().host_loopback().build(), "logged");
  const auto port = std::to_string(echo.port());
  guest.network.log_flows(file).get();
  BOOST_TEST(guest.sh("echo x | nc 10.0.2.2 " + port) == "x\n");
  guest.sh("echo x | nc -w 1 169.254.169.254 80");
  guest.network.stop_flow_log().get();
  guest.sh("echo x | nc 10.0.2.2 " + port);
  std::vector<std::string> lines;
  std::ifstream in(file);
  for (std::string line; std::getline(in, line);)
    lines.push_back(line);
  BOOST_TEST_REQUIRE(lines.size() == 2U);
  BOOST_TEST(lines[0].find("Z\tallow\ttcp\t10.0.2.15:") != std::string::npos, lines[0]);
  BOOST_TEST(lines[0].find("\t10.0.2.2:" + port + "\t-\tthe default: allow") != std::string::npos,
             lines[0]);
  BOOST_TEST(lines[1].find("Z\tdeny\ttcp\t10.0.2.15:") != std::string::npos, lines[1]);
  BOOST_TEST(lines[1].find("\t169.254.169.254:80\t-\t") != std::string::npos, lines[1]);
  BOOST_TEST(test::code_of(guest.network.log_flows("/nowhere/file")).has_value());
  fs::remove(file);
  guest.vm.kill().get();
}

BOOST_AUTO_TEST_SUITE_END()
