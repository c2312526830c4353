#include <net/nat/nat.hpp>

#include <arpa/inet.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <net/packet/build.hpp>

#include "lab.hpp"

using namespace capsa;            // NOLINT
using namespace capsa::net;       // NOLINT
using namespace capsa::net::nat;  // NOLINT

namespace {

/// Sockets of this process, whoever opened them.
std::size_t descriptors() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
    ++count;
  return count;
}

class Edge final : public NatEdge {
 public:
  void watch(int fd, std::uint32_t events) override { watched[fd] = events; }
  void unwatch(int fd) override { watched.erase(fd); }
  void refused(const Frame&, const Packet&, Verdict verdict) override { last = verdict; }
  std::unordered_map<int, std::uint32_t> watched;
  Verdict last = Verdict::Pass;
};

/// Guests by hand, whose host is this process' own loopback, where a port listens and never
/// accepts: what they open stays open.
struct Fixture {
  Fixture() {
    rlimit limit{};
    ::getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = std::min<rlim_t>(limit.rlim_max, 8192);
    ::setrlimit(RLIMIT_NOFILE, &limit);
    test::bind_to(listener, "127.0.0.1");
    BOOST_REQUIRE_EQUAL(::listen(listener.get(), 4096), 0);
    port = test::port_of(listener);
  }
  static NatConfig config(std::size_t sockets) {
    NatConfig out;
    out.host_loopback = true;
    out.limits.sockets = sockets;
    return out;
  }
  void make(const NatConfig& config) { nat = Nat::create(config, edge).value(); }

  static MacAddress mac(unsigned guest) {
    return MacAddress({2, 0, 0, 0, 0, static_cast<std::uint8_t>(guest)});
  }
  static IpFields ip(unsigned guest) {
    return {IpAddress::v4(10, 0, 2, static_cast<std::uint8_t>(3 + guest)),
            IpAddress::v4(10, 0, 2, 2)};
  }
  void send(const FrameBytes& bytes) {
    Frame frame = pool->make(bytes.size());
    std::copy(bytes.begin(), bytes.end(), frame.bytes().begin());
    FrameBatch batch;
    batch.push(std::move(frame));
    edge.last = Verdict::Pass;
    nat->input(std::move(batch), now);
  }
  void syn(unsigned guest, std::uint16_t from) {
    send(build_tcp({MacAddress(), mac(guest)}, ip(guest),
                   {.from_port = from, .to_port = port, .sequence = 1, .flags = tcp_flag::kSyn}));
  }
  void udp(unsigned guest, std::uint16_t from) {
    send(build_udp({MacAddress(), mac(guest)}, ip(guest), from, port, {}));
  }

  UniqueFd listener{::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)};
  std::uint16_t port = 0;
  Edge edge;
  std::shared_ptr<FramePool> pool = FramePool::create();
  TimePoint now = std::chrono::steady_clock::now();
  std::unique_ptr<Nat> nat;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(nat_limits, Fixture)

BOOST_AUTO_TEST_CASE(two_hundred_guests_and_ten_thousand_flows_stay_within_the_hosts_descriptors) {
  make(config(2000));
  const std::size_t before = descriptors();
  for (unsigned flow = 0; flow < 50; ++flow)
    for (unsigned guest = 0; guest < 200; ++guest)
      syn(guest, static_cast<std::uint16_t>(1000 + flow));
  BOOST_TEST(descriptors() == before + 2000);
  BOOST_TEST(nat->sockets() == 2000U);
  BOOST_TEST(nat->guests() == 200U);
  BOOST_TEST((edge.last == Verdict::SocketLimit));
  BOOST_TEST(nat->verdicts()[static_cast<std::size_t>(Verdict::SocketLimit)] == 8000U);
  nat->step(now);
  BOOST_TEST(edge.watched.size() <= 2000U);
  nat.reset();
  BOOST_TEST(descriptors() == before);
  BOOST_TEST(edge.watched.empty());
}

BOOST_AUTO_TEST_CASE(one_guest_has_no_more_than_its_share) {
  make(config(4096));
  const std::size_t before = descriptors();
  for (unsigned flow = 0; flow < 1100; ++flow)
    syn(1, static_cast<std::uint16_t>(1000 + flow));
  BOOST_TEST((edge.last == Verdict::TcpLimit));
  for (unsigned flow = 0; flow < 300; ++flow)
    udp(1, static_cast<std::uint16_t>(1000 + flow));
  BOOST_TEST((edge.last == Verdict::UdpLimit));
  BOOST_TEST(descriptors() == before + 1024 + 256);
  // Another is not the worse for it.
  syn(2, 1000);
  BOOST_TEST((edge.last == Verdict::Pass));
  nat->forget(mac(1));
  BOOST_TEST(descriptors() == before + 1);
}

BOOST_AUTO_TEST_CASE(guests_with_flows_do_not_make_way_for_new_ones_and_idle_ones_do) {
  NatConfig few = config(4096);
  few.limits.guests = 2;
  make(few);
  syn(1, 1000);
  syn(2, 1000);
  syn(3, 1000);
  BOOST_TEST((edge.last == Verdict::GuestLimit));
  // Nothing is opened for a segment of no connection.
  nat->forget(mac(2));
  send(build_tcp({MacAddress(), mac(2)}, ip(2),
                 {.from_port = 1, .to_port = port, .flags = tcp_flag::kAck}));
  BOOST_TEST(nat->guests() == 2U);
  syn(3, 1000);
  BOOST_TEST((edge.last == Verdict::Pass));
  BOOST_TEST(nat->guests() == 2U);
}

BOOST_AUTO_TEST_CASE(udp_sockets_end_after_libslirps_time_and_the_guest_is_forgotten) {
  make(config(4096));
  udp(1, 1000);
  nat->step(now);
  BOOST_TEST(nat->sockets() == 1U);
  BOOST_REQUIRE(nat->next_deadline().has_value());
  for (int second = 0; second < 242; ++second) {
    now += std::chrono::seconds(1);
    nat->step(now);
  }
  BOOST_TEST(nat->sockets() == 0U);
  now += Nat::kGuestLife * 2;
  nat->step(now);
  BOOST_TEST(nat->guests() == 0U);
  BOOST_TEST(!nat->next_deadline().has_value());
}

BOOST_AUTO_TEST_CASE(an_idle_udp_socket_makes_way_for_a_new_one) {
  NatConfig few = config(4096);
  few.limits.udp = 3;
  make(few);
  // Somebody listens: a datagram that is refused keeps nothing alive.
  const UniqueFd sink(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  test::bind_to(sink, "127.0.0.1", port);
  const auto pass = [this](std::chrono::seconds time) {
    now += time;
    nat->step(now);
  };
  syn(1, 900);
  for (const std::uint16_t from : {1000, 1001, 1002})
    udp(1, from);
  pass(std::chrono::seconds(20));
  udp(1, 1001);
  BOOST_TEST(nat->sockets() == 4U);
  // None of them is idle yet.
  udp(1, 1003);
  BOOST_TEST((edge.last == Verdict::UdpLimit));
  pass(std::chrono::seconds(15));
  udp(1, 1003);
  BOOST_TEST((edge.last == Verdict::Pass));
  nat->step(now);
  BOOST_TEST(nat->sockets() == 3U);  // TCP, 1001 and 1003
  udp(1, 1004);
  BOOST_TEST((edge.last == Verdict::Pass));
  pass(std::chrono::seconds(5));
  udp(1, 1005);
  BOOST_TEST((edge.last == Verdict::UdpLimit));
  // Those that are new live their full time again.
  pass(std::chrono::seconds(200));
  BOOST_TEST(nat->sockets() >= 3U);
  pass(std::chrono::seconds(50));
  pass(std::chrono::seconds(1));
  BOOST_TEST(nat->sockets() == 1U);
}

BOOST_AUTO_TEST_CASE(a_socket_opened_after_a_long_silence_lives_its_full_time) {
  make(config(4096));
  udp(1, 1000);
  nat->step(now);
  now += std::chrono::hours(1);
  udp(1, 1001);
  nat->step(now);
  BOOST_TEST(nat->sockets() == 1U);
  now += std::chrono::seconds(100);
  nat->step(now);
  BOOST_TEST(nat->sockets() == 1U);
}

BOOST_AUTO_TEST_CASE(two_threads_may_not_have_sessions) {
  make(config(4096));
  syn(1, 1000);
  bool refused = false;
  std::thread([&] {
    Edge other;
    auto second = Nat::create(config(10), other).value();
    FrameBatch batch;
    const auto bytes = build_udp({MacAddress(), mac(9)}, ip(9), 1, port, {});
    Frame frame = pool->make(bytes.size());
    std::copy(bytes.begin(), bytes.end(), frame.bytes().begin());
    batch.push(std::move(frame));
    second->input(std::move(batch), now);
    refused = other.last == Verdict::GuestLimit;
  }).join();
  BOOST_TEST(refused);
}

BOOST_AUTO_TEST_CASE(addresses_that_do_not_fit_are_refused_before_anything_starts) {
  const auto refused = [this](NatConfig config) {
    const auto nat_or = Nat::create(config, edge);
    return !nat_or && nat_or.error().code() == ErrorCode::InvalidConfig;
  };
  NatConfig bad;
  bad.gateway = IpAddress::v4(10, 0, 3, 2);
  BOOST_TEST(refused(bad));
  bad = {};
  bad.gateway6 = IpAddress::parse("fd00::1").value();
  BOOST_TEST(refused(bad));
  bad = {};
  bad.guest_mtu = 500;
  BOOST_TEST(refused(bad));
  bad = {};
  bad.subnet = IpNetwork::around(IpAddress::v4(10, 0, 2, 0), 31);
  BOOST_TEST(refused(bad));
}

BOOST_AUTO_TEST_SUITE_END()
