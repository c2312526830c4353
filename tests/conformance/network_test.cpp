#include <sys/socket.h>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <filesystem>
#include <tests/conformance/fake_dns.hpp>
#include <tests/conformance/host_state.hpp>
#include <tests/conformance/net_guest.hpp>
#include <tests/conformance/net_lab.hpp>
#include <tests/conformance/net_servers.hpp>
#include <tests/conformance/pcapng.hpp>

using namespace capsa;
using namespace std::chrono_literals;
namespace fs = std::filesystem;
using test::ip;

namespace {

constexpr std::uint16_t kEcho = 7007;
const auto kLoopback = IpAddress::v4(127, 0, 0, 1);

/// Before anything else: see NetLab.
struct Setup {
  Setup() {
    const auto& lab = test::NetLab::instance();
    if (!lab) BOOST_TEST_MESSAGE("no lab, so this host's own network: " << lab.missing());
  }
};
BOOST_TEST_GLOBAL_FIXTURE(Setup);

/// The servers of the host, and a guest that reaches them at its gateway.
struct Scene {
  test::FakeDns first{kLoopback};
  test::FakeDns second{kLoopback};
  test::TcpServer tcp_echo{kLoopback, 0, test::serve_echo};
  test::UdpServer udp_echo{kLoopback, 0, test::echo_datagram};
  test::NetGuest guest;

  Scene() : guest((second.set("name.test", "203.0.113.5"), mode())) {}
  NetworkMode mode() {
    return NetworkMode::user_nat()
        .host_loopback()
        .resolver("127.0.0.1:" + std::to_string(first.port()))
        .resolver("127.0.0.1:" + std::to_string(second.port()))
        .forward_tcp(0, 8080)
        .forward_udp(0, 8081)
        .build();
  }
};

Scene& scene() {
  static Scene instance;
  return instance;
}
test::NetGuest& guest() {
  return scene().guest;
}

bool skipped(const std::string& missing) {
  if (!missing.empty()) BOOST_TEST_MESSAGE("skipped: " << missing);
  return !missing.empty();
}

std::uint64_t mib() {
  const char* const text = std::getenv("CAPSA_NET_MIB");
  return text != nullptr ? std::strtoull(text, nullptr, 10) : 64;
}

std::string at(const std::string& address, std::uint16_t port) {
  return "\"" + address + "\", " + std::to_string(port);
}

/// What comes back from a published port; empty where nothing does.
std::string through(const PortForward& forward, const std::string& bytes) {
  const auto fd = test::connect_to(kLoopback, forward.host_port,
                                   forward.protocol == Protocol::Udp ? SOCK_DGRAM : SOCK_STREAM);
  if (!fd || !test::write_all(fd.get(), bytes)) return "";
  if (forward.protocol == Protocol::Tcp) return test::read_all(fd.get(), bytes.size());
  char buffer[2048];
  const auto got = ::recv(fd.get(), buffer, sizeof buffer, 0);
  return got < 0 ? "" : std::string(buffer, static_cast<std::size_t>(got));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(a_guest_behind_user_nat)

BOOST_AUTO_TEST_CASE(has_its_addresses_of_both_families) {
  BOOST_TEST(guest().sh("ip -4 addr").find("10.0.2.15/24") != std::string::npos);
  BOOST_TEST(guest().sh("ip route").find("default via 10.0.2.2") != std::string::npos);
  BOOST_TEST(test::eventually([] {
    return guest().sh("ip -6 addr show scope global").find("fdca:70ca:1:") != std::string::npos;
  }));
  BOOST_TEST_MESSAGE(guest().sh("ip addr; ip -6 route"));
}

BOOST_AUTO_TEST_CASE(without_an_agent_to_set_it_up_asks_for_its_address) {
  auto vm = test::guest_vm(test::runtime())
                .agent_enabled()
                .network(NetworkMode::user_nat().subnet("172.20.0.0/16").build())
                .build()
                .get();
  vm.start().get();
  const auto agent = vm.agent().get();
  const auto out = agent
                       .exec(
                           "ip link set eth0 up && printf '#!/bin/sh\\nset >&2\\n' >/tmp/told && "
                           "chmod +x /tmp/told && udhcpc -i eth0 -n -q -f -s /tmp/told")
                       .get();
  const auto all = out.stdout_data + out.stderr_data;
  for (const auto* told : {"ip='172.20.0.15'", "router='172.20.0.2'", "dns='172.20.0.2'",
                           "subnet='255.255.0.0'", "serverid='172.20.0.2'"})
    BOOST_TEST(all.find(told) != std::string::npos, told << " is not in: " << all);
  vm.kill().get();
}

BOOST_AUTO_TEST_CASE(moves_a_stream_each_way_whole) {
  test::Stream down(mib() << 20);
  test::Stream up(0);
  test::TcpServer source(kLoopback, 0, [&](int fd) { down.source(fd); });
  test::TcpServer sink(kLoopback, 0, [&](int fd) { up.sink(fd); });
  const auto timed = [](const char* what, const std::string& line) {
    const auto began = std::chrono::steady_clock::now();
    const auto out = guest().sh(line);
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
    BOOST_TEST_MESSAGE(mib() << " MiB " << what << ": " << took.count() << " s");
    return out;
  };
  const auto bytes = std::to_string(mib() << 20);
  const auto received =
      timed("down", "nc 10.0.2.2 " + std::to_string(source.port()) + " </dev/null | sha256sum");
  BOOST_TEST(down.count() == mib() << 20);
  BOOST_TEST(received.substr(0, 64) == down.digest());
  const auto sent =
      timed("up", "mkfifo /tmp/f; sha256sum </tmp/f >/tmp/sum & head -c " + bytes +
                      " /dev/urandom | tee /tmp/f | nc 10.0.2.2 " + std::to_string(sink.port()) +
                      "; echo; wait; cat /tmp/sum; rm /tmp/f");
  BOOST_TEST(up.count() == mib() << 20);
  BOOST_TEST_REQUIRE(sent.size() > 128U);
  BOOST_TEST(sent.substr(0, 64) == up.digest());
  BOOST_TEST(sent.substr(65, 64) == up.digest());
  const auto stats = guest().network.stats().get();
  BOOST_TEST(stats.sent_bytes >= mib() << 20);
  BOOST_TEST(stats.received_bytes >= mib() << 20);
}

BOOST_AUTO_TEST_CASE(exchanges_datagrams_and_pings) {
  BOOST_TEST(guest().sh("ping -c 3 10.0.2.2").find("3 packets received") != std::string::npos);
  if (skipped(test::missing_python())) return;
  for (const int size : {0, 1, 512, 1472})
    BOOST_TEST(guest()
                   .probe("udp(" + at("10.0.2.2", scene().udp_echo.port()) + ", b'u' * " +
                          std::to_string(size) + ")")
                   .ends_with("same"),
               size);
}

BOOST_AUTO_TEST_CASE(asks_the_second_resolver_where_the_first_is_silent) {
  auto& s = scene();
  s.first.set("name.test", "203.0.113.4");
  s.second.set("other.test", "203.0.113.6");
  s.second.set("third.test", "203.0.113.7");
  BOOST_TEST(s.guest.sh("nslookup name.test 10.0.2.2").find("203.0.113.4") != std::string::npos);
  s.first.set_silent(true);
  BOOST_TEST(s.guest.sh("nslookup other.test 10.0.2.2").find("203.0.113.6") != std::string::npos);
  BOOST_TEST(s.first.asked("other.test") > 0U);
  // It is not waited for twice.
  const auto began = std::chrono::steady_clock::now();
  BOOST_TEST(s.guest.sh("nslookup third.test 10.0.2.2").find("203.0.113.7") != std::string::npos);
  BOOST_TEST((std::chrono::steady_clock::now() - began < 2s));
  BOOST_TEST(s.first.asked("third.test") == 0U);
  s.first.set_silent(false);
}

BOOST_AUTO_TEST_CASE(gets_a_long_answer_over_tcp) {
  if (skipped(test::missing_python())) return;
  test::DnsAnswer many;
  for (int i = 1; i <= 60; ++i)
    many.records.push_back({"many.test", "A", "203.0.113." + std::to_string(i)});
  many.truncated = true;
  scene().first.set("many.test", many);
  scene().second.set("many.test", many);
  const auto before = scene().first.asked_by_tcp() + scene().second.asked_by_tcp();
  const auto cut = guest().probe("dns('many.test')");
  BOOST_TEST(cut.find(" TC") != std::string::npos, cut);
  const auto whole = guest().probe("dns('many.test', use_tcp=True)");
  BOOST_TEST(whole.find("A=203.0.113.60/") != std::string::npos, whole);
  BOOST_TEST(scene().first.asked_by_tcp() + scene().second.asked_by_tcp() > before);
}

BOOST_AUTO_TEST_CASE(speaks_ipv6_with_its_gateway_and_beyond) {
  BOOST_TEST(test::eventually([] {
    return guest().sh("ping -c 1 fdca:70ca:1::2").find("1 packets received") != std::string::npos;
  }));
  if (skipped(test::missing_python())) return;
  test::TcpServer on_loopback(ip("::1"), kEcho, test::serve_echo);
  const auto gateway = guest().probe("tcp(" + at("fdca:70ca:1::2", kEcho) + ")");
  BOOST_TEST(test::outcome_of(gateway) == "ok", gateway);
  auto& lab = test::NetLab::instance();
  if (skipped(lab ? "" : "this host's own IPv6 may lead nowhere")) return;
  std::optional<test::TcpServer> far;
  std::optional<test::UdpServer> far_udp;
  lab.inside([&] {
    far.emplace(ip("::"), kEcho, test::serve_echo);
    far_udp.emplace(ip("::"), kEcho, test::echo_datagram);
  });
  const auto beyond = guest().probe("tcp(" + at("2001:db8:113::10", kEcho) + ")");
  BOOST_TEST(test::outcome_of(beyond) == "ok", beyond);
  const auto datagram = guest().probe("udp(" + at("2001:db8:113::10", kEcho) + ")");
  BOOST_TEST(test::outcome_of(datagram) == "ok", datagram);
  // The host's own global address, which a rule has to name.
  test::TcpServer host(ip(test::NetLab::kHost6), kEcho, test::serve_echo);
  const auto call = "tcp(" + at(test::NetLab::kHost6, kEcho) + ")";
  const auto unnamed = guest().probe(call);
  BOOST_TEST(test::outcome_of(unnamed) == "refused", unnamed);
  guest().network.set_policy(NetworkPolicy::allow_all().allow_ip(test::NetLab::kHost6)).get();
  const auto named = guest().probe(call);
  BOOST_TEST(test::outcome_of(named) == "ok", named);
  guest().network.set_policy(NetworkPolicy::allow_all()).get();
}

BOOST_AUTO_TEST_CASE(pings_beyond_its_gateway) {
  if (skipped(test::NetLab::instance() ? "" : "this host may let nobody ping")) return;
  const auto v4 = guest().sh("ping -c 2 203.0.113.9");
  BOOST_TEST(v4.find("2 packets received") != std::string::npos, v4);
  // Over IPv6 the NAT has no pings, and says so.
  guest().forget_denials();
  const auto v6 = guest().sh("ping -c 1 -W 2 2001:db8:113::9");
  BOOST_TEST(v6.find("status 1") == 0U, v6);
  BOOST_TEST(guest().denial({"icmp", "2001:db8:113::9", "ping_unavailable"}) != "");
}

BOOST_AUTO_TEST_CASE(is_reached_at_its_published_ports) {
  if (skipped(test::missing_python())) return;
  const auto forwards = guest().network.forwards().get();
  BOOST_TEST_REQUIRE(forwards.size() == 2U);
  BOOST_TEST(forwards[0].host_port != 0U);
  BOOST_TEST(forwards[1].host_port != 0U);
  BOOST_TEST(guest().probe("serve_tcp(8080)") == "serving");
  BOOST_TEST(guest().probe("serve_udp(8081)") == "serving");
  const auto bytes = test::random_bytes(100000, 1);
  BOOST_TEST(through(forwards[0], bytes) == bytes);
  BOOST_TEST(through(forwards[1], "a datagram") == "a datagram");
  BOOST_TEST(through(forwards[1], "another") == "another");
  // Many at once: each has its own connection.
  std::vector<UniqueFd> all;
  for (int i = 0; i < 20; ++i)
    all.push_back(test::connect_to(kLoopback, forwards[0].host_port));
  for (std::size_t i = 0; i < all.size(); ++i)
    BOOST_TEST(test::write_all(all[i].get(), "number " + std::to_string(i + 10)));
  for (std::size_t i = 0; i < all.size(); ++i)
    BOOST_TEST(test::read_all(all[i].get(), 9) == "number " + std::to_string(i + 10));
}

BOOST_AUTO_TEST_CASE(publishes_more_ports_and_takes_them_back_while_it_runs) {
  if (skipped(test::missing_python())) return;
  auto& network = guest().network;
  BOOST_TEST(guest().probe("serve_tcp(8082)") == "serving");
  const auto added = network.add_forward(PortForward::tcp(0, 8082)).get();
  BOOST_TEST(through(added, "hello") == "hello");
  BOOST_TEST(network.forwards().get().size() == 3U);
  const auto open = test::connect_to(kLoopback, added.host_port);
  BOOST_TEST(test::write_all(open.get(), "made"));
  BOOST_TEST(test::read_all(open.get(), 4) == "made");
  BOOST_TEST(test::code_of(network.add_forward(added)) == ErrorCode::ResourceExhausted);
  network.remove_forward(added).get();
  BOOST_TEST(!test::connect_to(kLoopback, added.host_port));
  BOOST_TEST(test::write_all(open.get(), "still"));
  BOOST_TEST(test::read_all(open.get(), 5) == "still");
  BOOST_TEST(test::code_of(network.remove_forward(added)) == ErrorCode::NotFound);
  // Answers to one of two would leave by the other.
  BOOST_TEST(test::code_of(network.add_forward(PortForward::udp(0, 8081))) ==
             ErrorCode::InvalidConfig);
  BOOST_TEST(guest().probe("serve_udp(8084)") == "serving");
  const auto udp = network.add_forward(PortForward::udp(0, 8084)).get();
  BOOST_TEST(through(udp, "by the second") == "by the second");
  network.remove_forward(udp).get();
}

BOOST_AUTO_TEST_CASE(does_not_start_where_a_published_port_is_in_use) {
  const auto mode = NetworkMode::user_nat().forward_tcp(scene().tcp_echo.port(), 80).build();
  auto vm = test::guest_vm(test::runtime()).network(mode).build().get();
  const auto start = vm.start().result();
  BOOST_TEST_REQUIRE(!start.ok());
  BOOST_TEST(start.error().code() == ErrorCode::ResourceExhausted);
  BOOST_TEST(
      start.error().message().find(std::to_string(scene().tcp_echo.port())) != std::string::npos,
      start.error().message());
}

BOOST_AUTO_TEST_CASE(is_captured_as_pcapng) {
  const auto file = fs::temp_directory_path() / "capsa-network-test.pcapng";
  fs::remove(file);
  guest().network.capture(file).get();
  guest().sh("echo marked-payload | nc 10.0.2.2 " + std::to_string(scene().tcp_echo.port()));
  guest().network.stop_capture().get();
  const auto blocks = test::blocks_of(file);
  BOOST_TEST(blocks.count(0) == 0U);
  BOOST_TEST(blocks.count(0x0a0d0d0a) == 1U);
  BOOST_TEST(blocks.count(1) == 1U);
  BOOST_TEST(blocks.count(6) > 6U);
  std::size_t with_payload = 0;
  for (const auto& [type, content] : blocks)
    if (type == 6 && content.find("marked-payload") != std::string::npos) ++with_payload;
  BOOST_TEST(with_payload == 2U);  // there and back
  const auto size = fs::file_size(file);
  guest().sh("ping -c 1 10.0.2.2");
  BOOST_TEST(fs::file_size(file) == size);
  BOOST_TEST(test::code_of(guest().network.capture("/nowhere/file")).has_value());
  fs::remove(file);
}

BOOST_AUTO_TEST_CASE(is_cut_off_by_a_pulled_cable) {
  guest().network.set_link(false).get();
  BOOST_TEST(guest().sh("ping -c 1 -W 1 10.0.2.2").find("status 1") == 0U);
  guest().network.set_link(true).get();
  BOOST_TEST(guest().sh("ping -c 2 10.0.2.2").find("packets received") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(cannot_reach_another_vm) {
  if (skipped(test::missing_python())) return;
  const auto forward = guest().network.forwards().get().at(0);
  BOOST_TEST(guest().probe("serve_tcp(8083)") == "serving");
  auto mode = NetworkMode::user_nat().subnet("10.0.7.0/24").forward_tcp(0, 8083).build();
  test::NetGuest other(mode, "other");
  const auto theirs = other.network.forwards().get().at(0);
  BOOST_TEST(other.sh("ip -4 addr").find("10.0.7.15/24") != std::string::npos);
  BOOST_TEST(other.probe("serve_tcp(8083)") == "serving");
  BOOST_TEST(through(theirs, "from the host") == "from the host");
  // Neither by the address that the other has, nor by the gateway, nor by the host.
  for (const auto& call :
       {"tcp(" + at("10.0.2.15", 8083) + ")", "tcp(" + at("10.0.7.2", forward.host_port) + ")",
        "tcp(" + at("10.0.2.2", forward.host_port) + ")"}) {
    const auto result = other.probe(call);
    BOOST_TEST(test::outcome_of(result) == "refused", call << ": " << result);
    BOOST_TEST(test::seconds_of(result) < 1.0);
  }
  const auto back = guest().probe("tcp(" + at("10.0.7.15", 8083) + ")");
  BOOST_TEST(test::outcome_of(back) == "refused", back);
}

BOOST_AUTO_TEST_CASE(leaves_nothing_when_it_ends) {
  if (skipped(test::missing_python())) return;
  // What the other tests had the NAT open times out at leisure, or goes with it.
  guest().vm.kill().get();
  const auto round = [] {
    test::NetGuest one(NetworkMode::user_nat()
                           .host_loopback()
                           .resolver("127.0.0.1:" + std::to_string(scene().second.port()))
                           .forward_tcp(0, 22)
                           .forward_udp(0, 53)
                           .build());
    const auto forward = one.network.forwards().get().at(0);
    BOOST_TEST(one.probe("serve_tcp(22)") == "serving");
    BOOST_TEST(one.sh("nslookup name.test 10.0.2.2").find("203.0.113.5") != std::string::npos);
    BOOST_TEST(one.sh("ping -c 1 10.0.2.2").find("1 packets received") != std::string::npos);
    one.sh("echo x | nc -u -w 1 10.0.2.2 " + std::to_string(scene().udp_echo.port()));
    // A connection each way that is open when its VM goes.
    const auto open = test::connect_to(kLoopback, forward.host_port);
    BOOST_TEST(test::write_all(open.get(), "here"));
    BOOST_TEST(test::read_all(open.get(), 4) == "here");
    const auto before = scene().tcp_echo.accepted();
    auto client = ExecSpec::command({"nc", "10.0.2.2", std::to_string(scene().tcp_echo.port())});
    client.stdin_open = true;
    one.agent.start(client).get();
    BOOST_TEST(test::eventually([&] { return scene().tcp_echo.accepted() > before; }));
    one.vm.kill().get();
    BOOST_TEST(test::read_all(open.get()).empty());
    BOOST_TEST(!test::connect_to(kLoopback, forward.host_port));
    BOOST_TEST(test::code_of(one.network.stats()).has_value());
  };
  // The first one makes what is kept on purpose: thread stacks, caches of the allocator.
  round();
  const auto before = test::host_state();
  round();
  BOOST_TEST(test::eventually([&] { return test::host_state().fds <= before.fds; }));
  const auto after = test::host_state();
  BOOST_TEST(after.fds == before.fds);
  BOOST_TEST(after.threads == before.threads);
  BOOST_TEST(after.children == before.children);
}

BOOST_AUTO_TEST_SUITE_END()
