#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <boost/test/unit_test.hpp>
#include <cstdio>
#include <fstream>
#include <net/host_nat/host_facts.hpp>
#include <tests/conformance/fake_dns.hpp>
#include <tests/conformance/host_state.hpp>
#include <tests/conformance/net_guest.hpp>
#include <tests/conformance/net_lab.hpp>
#include <tests/conformance/net_servers.hpp>

// Behind the NAT of the host's kernel, in the host of the lab (see NetLab): the real one sees
// nothing of it.
using namespace capsa;
using namespace std::chrono_literals;
using test::ip;

namespace {

constexpr std::uint16_t kEcho = 7007;
constexpr std::uint16_t kWho = 7008;
const auto kLoopback = IpAddress::v4(127, 0, 0, 1);

void let_host_forward(bool on) {
  std::ofstream("/proc/sys/net/ipv4/ip_forward") << (on ? "1" : "0");
}

/// Empty where the host of the lab can be a NAT, but that it does not forward.
std::string missing() {
  if (!test::NetLab::instance()) return test::NetLab::instance().missing();
  auto facts = net::host_nat::host_facts();
  facts.forwards = true;
  const auto usable = net::host_nat::check(facts);
  return usable.ok() ? test::missing_python() : usable.error().message();
}

bool skipped() {
  static const std::string why = missing();
  if (!why.empty()) BOOST_TEST_MESSAGE("skipped: " << why);
  return !why.empty();
}

std::string output_of(const std::string& command) {
  std::string out;
  FILE* const pipe = ::popen(command.c_str(), "r");
  for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe))
    out += static_cast<char>(c);
  ::pclose(pipe);
  return out;
}

/// Says to each who connects what address it came from.
void serve_who(int fd) {
  sockaddr_in from{};
  socklen_t size = sizeof from;
  ::getpeername(fd, reinterpret_cast<sockaddr*>(&from), &size);
  char text[INET_ADDRSTRLEN] = {};
  ::inet_ntop(AF_INET, &from.sin_addr, text, sizeof text);
  char byte = 0;
  if (::recv(fd, &byte, 1, 0) == 1) test::write_all(fd, text);
}

/// The Internet's servers, and a guest.
struct Scene {
  std::optional<test::TcpServer> echo;
  std::optional<test::TcpServer> who;
  std::optional<test::UdpServer> udp;
  test::FakeDns dns{kLoopback};
  std::optional<test::NetGuest> guest;

  Scene() {
    test::NetLab::instance().inside([&] {
      echo.emplace(ip("0.0.0.0"), kEcho, test::serve_echo);
      who.emplace(ip("0.0.0.0"), kWho, serve_who);
      udp.emplace(ip("0.0.0.0"), kEcho, test::echo_datagram);
    });
    dns.set("name.test", "203.0.113.5");
    let_host_forward(true);
    guest.emplace(NetworkMode::nat(config()), "behind-nat");
  }
  HostNatConfig config() const {
    HostNatConfig out;
    out.resolvers = {"127.0.0.1:" + std::to_string(dns.port())};
    return out;
  }
};

Scene& scene() {
  static Scene instance;
  return instance;
}
test::NetGuest& guest() {
  return *scene().guest;
}

std::string tcp(const std::string& address, std::uint16_t port) {
  return guest().probe("tcp(\"" + address + "\", " + std::to_string(port) + ")");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(a_guest_behind_the_host_s_nat)

BOOST_AUTO_TEST_CASE(is_refused_where_the_host_does_not_forward) {
  if (skipped()) return;
  let_host_forward(false);
  auto built = test::guest_vm(test::runtime()).network(NetworkMode::nat()).build().result();
  BOOST_TEST_REQUIRE(!built.ok());
  BOOST_TEST(built.error().code() == ErrorCode::UnsupportedFeature);
  BOOST_TEST(built.error().message().find("ip_forward") != std::string::npos);
  BOOST_TEST(built.error().hint().find("sysctl -w net.ipv4.ip_forward=1") != std::string::npos);
  // And is not switched on behind the administrator's back.
  int forwards = -1;
  std::ifstream("/proc/sys/net/ipv4/ip_forward") >> forwards;
  BOOST_TEST(forwards == 0);
}

BOOST_AUTO_TEST_CASE(has_a_subnet_that_the_host_had_no_route_to) {
  if (skipped()) return;
  BOOST_TEST(guest().sh("ip -4 addr show eth0").find("10.0.4.15/24") != std::string::npos);
  BOOST_TEST(guest().sh("ip route").find("default via 10.0.4.1") != std::string::npos);
  BOOST_TEST(guest().sh("cat /etc/resolv.conf").find("10.0.4.2") != std::string::npos);
  const auto route = output_of("ip -4 route show 10.0.4.0/24");
  BOOST_TEST(route.find("dev capsa0") != std::string::npos, route);
}

BOOST_AUTO_TEST_CASE(reaches_the_world_in_the_host_s_name) {
  if (skipped()) return;
  const auto who = tcp("203.0.113.5", kWho);
  BOOST_TEST(test::outcome_of(who) == "ok", who);
  BOOST_TEST(who.ends_with(test::NetLab::kHost4), who);
  const auto echo = tcp("203.0.113.6", kEcho);
  BOOST_TEST(echo.ends_with("echo"), echo);
  const auto udp = guest().probe("udp(\"203.0.113.6\", " + std::to_string(kEcho) + ")");
  BOOST_TEST(udp.ends_with("same"), udp);
  const auto ping = guest().sh("ping -c 2 203.0.113.9");
  BOOST_TEST(ping.find("2 packets received") != std::string::npos, ping);
  BOOST_TEST(guest().sh("ping -c 1 10.0.4.2").find("1 packets received") != std::string::npos);
  const auto found = guest().sh("nslookup name.test");
  BOOST_TEST(found.find("203.0.113.5") != std::string::npos, found);
}

BOOST_AUTO_TEST_CASE(moves_a_stream_each_way_whole) {
  if (skipped()) return;
  constexpr std::uint64_t kBytes = 32U << 20;
  test::Stream down(kBytes);
  test::Stream up(0);
  std::optional<test::TcpServer> source;
  std::optional<test::TcpServer> sink;
  test::NetLab::instance().inside([&] {
    source.emplace(ip("0.0.0.0"), 7009, [&](int fd) { down.source(fd); });
    sink.emplace(ip("0.0.0.0"), 7010, [&](int fd) { up.sink(fd); });
  });
  const auto received = guest().sh("nc 203.0.113.5 7009 </dev/null | sha256sum");
  BOOST_TEST(down.count() == kBytes);
  BOOST_TEST(received.substr(0, 64) == down.digest());
  const auto sent = guest().sh("head -c " + std::to_string(kBytes) +
                               " /dev/zero | tee /tmp/sent | nc 203.0.113.5 7010; echo; "
                               "sha256sum </tmp/sent; rm /tmp/sent");
  BOOST_TEST(up.count() == kBytes);
  BOOST_TEST_REQUIRE(sent.size() > 128U, sent);
  BOOST_TEST(sent.substr(0, 64) == up.digest());
  BOOST_TEST(sent.substr(65, 64) == up.digest());
}

BOOST_AUTO_TEST_CASE(is_kept_from_the_host_and_from_private_networks) {
  if (skipped()) return;
  test::TcpServer on_host(ip("0.0.0.0"), kEcho, test::serve_echo);
  for (const auto* address : {"10.0.4.1", "10.0.4.2", "198.51.100.1", "127.0.0.1",
                              "169.254.169.254", "192.168.9.9", "10.0.9.9"}) {
    const auto result = tcp(address, kEcho);
    // The guest's own loopback is no way out.
    BOOST_TEST(test::outcome_of(result) == "refused", address << ": " << result);
    BOOST_TEST(test::seconds_of(result) < 1.0, address << ": " << result);
  }
  BOOST_TEST(on_host.accepted() == 0U);
  // Unless a rule names it.
  guest().network.set_policy(NetworkPolicy::allow_all().allow_ip("198.51.100.1")).get();
  const auto named = tcp("198.51.100.1", kEcho);
  BOOST_TEST(test::outcome_of(named) == "ok", named);
  guest().network.set_policy(NetworkPolicy::allow_all()).get();
}

BOOST_AUTO_TEST_CASE(is_under_its_policy_by_address_and_by_name) {
  if (skipped()) return;
  guest().forget_denials();
  guest()
      .network
      .set_policy(NetworkPolicy::deny_all().allow_ip("203.0.113.6").allow_domain("name.test"))
      .get();
  BOOST_TEST(test::outcome_of(tcp("203.0.113.6", kEcho)) == "ok");
  const auto denied = tcp("203.0.113.7", kEcho);
  BOOST_TEST(test::outcome_of(denied) == "refused", denied);
  BOOST_TEST(test::seconds_of(denied) < 1.0, denied);
  BOOST_TEST(guest().denial({"tcp", "203.0.113.7:7007", "default"}) != "");
  BOOST_TEST(guest().sh("nslookup name.test").find("203.0.113.5") != std::string::npos);
  BOOST_TEST(guest().sh("nslookup other.test").find("203.0.113") == std::string::npos);
  guest().network.set_policy(NetworkPolicy::allow_all()).get();
}

BOOST_AUTO_TEST_CASE(is_reached_by_nobody_from_outside) {
  if (skipped()) return;
  BOOST_TEST(guest().probe("serve_tcp(8080)") == "serving");
  const auto began = std::chrono::steady_clock::now();
  BOOST_TEST(!test::connect_to(ip("10.0.4.15"), 8080));
  BOOST_TEST((std::chrono::steady_clock::now() - began < 2s));
  const auto forward = guest().network.add_forward(PortForward::tcp(0, 8080)).result();
  BOOST_TEST_REQUIRE(!forward.ok());
  BOOST_TEST(forward.error().code() == ErrorCode::UnsupportedFeature);
  BOOST_TEST(guest().network.forwards().get().empty());
}

BOOST_AUTO_TEST_CASE(refuses_a_subnet_that_the_host_has_and_leaves_nothing_of_the_attempt) {
  if (skipped()) return;
  guest();
  HostNatConfig config;
  config.subnet = "10.0.4.0/25";
  auto vm = test::guest_vm(test::runtime()).network(NetworkMode::nat(config)).build().get();
  const auto start = vm.start().result();
  BOOST_TEST_REQUIRE(!start.ok());
  BOOST_TEST(start.error().code() == ErrorCode::InvalidConfig);
  BOOST_TEST(start.error().message().find("10.0.4.0/24") != std::string::npos,
             start.error().message());
  BOOST_TEST(output_of("ip link show capsa1 2>&1").find("does not exist") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(leaves_neither_an_interface_nor_rules_when_it_ends) {
  if (skipped()) return;
  guest();
  const auto nft = net::host_nat::host_facts().nft.string() + " list tables";
  {
    test::NetGuest other(NetworkMode::nat(scene().config()), "other");
    BOOST_TEST(other.sh("ip -4 addr show eth0").find("10.0.5.15/24") != std::string::npos);
    const auto echo = other.probe("tcp(\"203.0.113.5\", " + std::to_string(kEcho) + ")");
    BOOST_TEST(echo.ends_with("echo"), echo);
    // One VM is a private address to the other.
    const auto across = other.probe("tcp(\"10.0.4.15\", 8080)");
    BOOST_TEST(test::outcome_of(across) == "refused", across);
    const auto tables = output_of(nft);
    BOOST_TEST(std::count(tables.begin(), tables.end(), '\n') == 2, tables);
    other.vm.kill().get();
    BOOST_TEST(output_of("ip link show capsa1 2>&1").find("does not exist") != std::string::npos);
    const auto left = output_of(nft);
    BOOST_TEST(std::count(left.begin(), left.end(), '\n') == 1, left);
  }
  guest().vm.stop().get();
  BOOST_TEST(output_of(nft) == "");
  BOOST_TEST(output_of("ip link").find("capsa") == std::string::npos);
  BOOST_TEST(output_of("ip -4 route show 10.0.4.0/24") == "");
  let_host_forward(false);
}

BOOST_AUTO_TEST_SUITE_END()
