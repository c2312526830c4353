#include <net/nat/nat.hpp>

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstring>
#include <random>

#include "lab.hpp"

using namespace capsa;            // NOLINT
using namespace capsa::net::nat;  // NOLINT
using namespace std::chrono_literals;
using test::Lab;

namespace {

/// A test whose host has no network namespaces or no TAP says so and is left out.
std::unique_ptr<Lab> make_lab(NatConfig config = {}) {
  std::string why;
  auto lab = Lab::create(config, why);
  if (!lab) BOOST_TEST_MESSAGE("left out: " << why);
  return lab;
}

#define LAB_OR_SKIP(lab)                                 \
  if (!(lab)) {                                          \
    BOOST_TEST_WARN(false, "no namespaces or TAP here"); \
    return;                                              \
  }

std::uint64_t mix(std::uint64_t hash, const char* bytes, std::size_t size) {
  for (std::size_t at = 0; at < size; ++at)
    hash = (hash ^ static_cast<unsigned char>(bytes[at])) * 0x100000001b3U;
  return hash;
}

/// Sends `size` pseudo-random bytes and then FIN; gives their hash, 0 where it failed.
std::uint64_t pump_out(int fd, std::size_t size) {
  std::mt19937_64 random(size);
  std::vector<std::uint64_t> words(8192);
  std::uint64_t hash = 1;
  for (std::size_t sent = 0; sent < size;) {
    for (auto& word : words)
      word = random();
    const auto* bytes = reinterpret_cast<const char*>(words.data());
    const std::size_t length = std::min(size - sent, words.size() * 8);
    for (std::size_t at = 0; at < length;) {
      const ssize_t one = ::send(fd, bytes + at, length - at, MSG_NOSIGNAL);
      if (one <= 0) return 0;
      at += static_cast<std::size_t>(one);
    }
    hash = mix(hash, bytes, length);
    sent += length;
  }
  ::shutdown(fd, SHUT_WR);
  return hash;
}

/// Everything until FIN.
std::pair<std::uint64_t, std::size_t> pump_in(int fd) {
  std::vector<char> bytes(65536);
  std::uint64_t hash = 1;
  std::size_t total = 0;
  for (;;) {
    const ssize_t got = ::recv(fd, bytes.data(), bytes.size(), 0);
    if (got <= 0) return {got < 0 ? 0 : hash, total};
    hash = mix(hash, bytes.data(), static_cast<std::size_t>(got));
    total += static_cast<std::size_t>(got);
  }
}

UniqueFd accept_one(const UniqueFd& listener, std::chrono::milliseconds timeout = 10s) {
  pollfd entry{listener.get(), POLLIN, 0};
  if (::poll(&entry, 1, static_cast<int>(timeout.count())) <= 0) return UniqueFd();
  return UniqueFd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
}

struct Pair {
  UniqueFd guest, server;
};
Pair connect_out(const Lab& lab) {
  const UniqueFd listener = lab.outside_socket(SOCK_STREAM);
  test::listen_at(listener, Lab::kServer);
  Pair pair{lab.guest_socket(SOCK_STREAM), UniqueFd()};
  BOOST_REQUIRE_EQUAL(test::connect_to(pair.guest, Lab::kServer, test::port_of(listener)), 0);
  pair.server = accept_one(listener);
  BOOST_REQUIRE(pair.server);
  return pair;
}

constexpr std::size_t kBulk = 100'000'000;

void check_bulk(const UniqueFd& from, const UniqueFd& to) {
  auto sent = std::async(std::launch::async, [&] { return pump_out(from.get(), kBulk); });
  const auto [hash, total] = pump_in(to.get());
  BOOST_TEST(total == kBulk);
  BOOST_TEST(hash == sent.get());
  BOOST_TEST(hash != 0U);
}

/// An echo request of the guest.
void ping(const UniqueFd& raw, std::uint16_t sequence) {
  icmphdr echo{};
  echo.type = ICMP_ECHO;
  echo.un.echo.id = htons(7);
  echo.un.echo.sequence = htons(sequence);
  echo.checksum = static_cast<std::uint16_t>(~(htons(0x0800) + htons(7) + htons(sequence)));
  const test::Address to(Lab::kServer, 0);
  BOOST_REQUIRE_EQUAL(::sendto(raw.get(), &echo, sizeof echo, 0,
                               reinterpret_cast<const sockaddr*>(&to.storage), sizeof(sockaddr_in)),
                      ssize_t{sizeof echo});
}

}  // namespace

BOOST_AUTO_TEST_SUITE(nat)

BOOST_AUTO_TEST_CASE(a_hundred_megabytes_reach_the_outside_unchanged_in_large_segments) {
  auto lab = make_lab();
  LAB_OR_SKIP(lab);
  const Pair pair = connect_out(*lab);
  check_bulk(pair.guest, pair.server);
  const NatStats stats = lab->stats();
  BOOST_TEST(stats.large_in > 0U);
  // Fewer frames than segments of the MTU: they were not cut.
  BOOST_TEST(stats.frames_in < kBulk / 1460);
}

BOOST_AUTO_TEST_CASE(a_hundred_megabytes_reach_the_guest_unchanged_in_large_segments) {
  auto lab = make_lab();
  LAB_OR_SKIP(lab);
  const Pair pair = connect_out(*lab);
  check_bulk(pair.server, pair.guest);
  const NatStats stats = lab->stats();
  BOOST_TEST(stats.large_out > 0U);
  BOOST_TEST(stats.frames_out < kBulk / 1460);
}

BOOST_AUTO_TEST_CASE(without_large_segments_nothing_is_to_be_cut) {
  auto lab = make_lab({.large_segments = false});
  LAB_OR_SKIP(lab);
  const Pair pair = connect_out(*lab);
  auto sent =
      std::async(std::launch::async, [&] { return pump_out(pair.server.get(), 1'000'000); });
  BOOST_TEST(pump_in(pair.guest.get()).first == sent.get());
  const NatStats stats = lab->stats();
  BOOST_TEST(stats.large_in == 0U);
  BOOST_TEST(stats.large_out == 0U);
}

BOOST_AUTO_TEST_CASE(the_guest_is_told_an_mss_that_fits_its_mtu) {
  auto lab = make_lab({.guest_mtu = 1400});
  LAB_OR_SKIP(lab);
  const Pair pair = connect_out(*lab);
  int mss = 0;
  socklen_t length = sizeof mss;
  BOOST_REQUIRE_EQUAL(::getsockopt(pair.guest.get(), IPPROTO_TCP, TCP_MAXSEG, &mss, &length), 0);
  BOOST_TEST(mss == 1360);
}

BOOST_AUTO_TEST_CASE(a_closed_port_refuses_at_once) {
  auto lab = make_lab();
  LAB_OR_SKIP(lab);
  const UniqueFd closed = lab->outside_socket(SOCK_STREAM);
  test::bind_to(closed, Lab::kServer);
  const UniqueFd socket = lab->guest_socket(SOCK_STREAM);
  BOOST_TEST(test::connect_to(socket, Lab::kServer, test::port_of(closed)) == ECONNREFUSED);
  lab->on_nat([](Nat& nat) { BOOST_TEST(nat.sockets() == 0U); });
}

BOOST_AUTO_TEST_CASE(datagrams_are_echoed_and_large_ones_come_back_in_fragments) {
  auto lab = make_lab();
  LAB_OR_SKIP(lab);
  const UniqueFd server = lab->outside_socket(SOCK_DGRAM);
  test::bind_to(server, Lab::kServer);
  const UniqueFd guest = lab->guest_socket(SOCK_DGRAM);
  BOOST_REQUIRE(test::send_to(guest, "hello", Lab::kServer, test::port_of(server)));
  std::uint16_t nat_port = 0;
  BOOST_TEST(test::receive(server, 10s, &nat_port).value_or("") == "hello");
  const std::string large(9000, 'x');
  BOOST_REQUIRE(test::send_to(server, large, Lab::kServer, nat_port));
  BOOST_TEST(test::receive(guest, 10s).value_or("") == large);
}

BOOST_AUTO_TEST_CASE(datagrams_of_whom_the_guest_did_not_send_to_are_dropped) {
  auto lab = make_lab();
  LAB_OR_SKIP(lab);
  const UniqueFd server = lab->outside_socket(SOCK_DGRAM);
  test::bind_to(server, Lab::kServer);
  const UniqueFd stranger = lab->outside_socket(SOCK_DGRAM);
  test::bind_to(stranger, Lab::kStranger, test::port_of(server));
  const UniqueFd neighbour = lab->outside_socket(SOCK_DGRAM);
  test::bind_to(neighbour, Lab::kServer);
  const UniqueFd guest = lab->guest_socket(SOCK_DGRAM);
  BOOST_REQUIRE(test::send_to(guest, "hello", Lab::kServer, test::port_of(server)));
  std::uint16_t nat_port = 0;
  BOOST_REQUIRE(test::receive(server, 10s, &nat_port));
  // Another address with the same port, and another port of the same address.
  BOOST_REQUIRE(test::send_to(stranger, "evil", Lab::kServer, nat_port));
  BOOST_REQUIRE(test::send_to(neighbour, "evil", Lab::kServer, nat_port));
  BOOST_REQUIRE(test::send_to(server, "good", Lab::kServer, nat_port));
  BOOST_TEST(test::receive(guest, 10s).value_or("") == "good");
  BOOST_TEST(lab->stats().unasked == 2U);
}

BOOST_AUTO_TEST_CASE(the_hosts_loopback_is_out_of_reach_in_every_spelling) {
  auto lab = make_lab();
  LAB_OR_SKIP(lab);
  lab->on_nat(
      [](Nat& nat) { nat.sanitizer().set_host_addresses({IpAddress::v4(198, 51, 100, 1)}); });
  const UniqueFd listener = lab->outside_socket(SOCK_STREAM);
  test::listen_at(listener, "0.0.0.0");
  const UniqueFd guest = lab->guest_socket(SOCK_DGRAM);
  // A guest's kernel does not let these out; the frames themselves are in the sanitizer's tests.
  for (const char* address : {Lab::kGateway, "10.0.2.3", Lab::kServer, "169.254.169.254"})
    BOOST_TEST(test::send_to(guest, "x", address, test::port_of(listener)));
  lab->on_nat([&](Nat& nat) {
    BOOST_TEST(nat.sockets() == 0U);
    BOOST_TEST(nat.stats().frames_in == 0U);
  });
  BOOST_TEST(lab->verdicts(Verdict::HostLoopback) == 1U);
  BOOST_TEST(lab->verdicts(Verdict::HostAddress) == 1U);
  BOOST_TEST(lab->verdicts(Verdict::LinkLocal) == 1U);
  BOOST_TEST(lab->refused.load() >= 3U);
  // An address rule opens the host's own address.
  lab->on_nat(
      [](Nat& nat) { nat.sanitizer().set_allow_hook([](const net::Packet&) { return true; }); });
  const UniqueFd stream = lab->guest_socket(SOCK_STREAM);
  BOOST_TEST(test::connect_to(stream, Lab::kServer, test::port_of(listener)) == 0);
}

BOOST_AUTO_TEST_CASE(the_gateway_stands_for_the_hosts_loopback_where_that_is_asked_for) {
  auto lab = make_lab({.host_loopback = true});
  LAB_OR_SKIP(lab);
  const UniqueFd listener = lab->outside_socket(SOCK_STREAM);
  test::listen_at(listener, "127.0.0.1");
  const UniqueFd guest = lab->guest_socket(SOCK_STREAM);
  BOOST_TEST(test::connect_to(guest, Lab::kGateway, test::port_of(listener)) == 0);
  BOOST_TEST(static_cast<bool>(accept_one(listener)));
}

BOOST_AUTO_TEST_CASE(urgent_data_is_ordinary_data_and_nothing_of_the_host_goes_with_it) {
  auto lab = make_lab();
  LAB_OR_SKIP(lab);
  const Pair pair = connect_out(*lab);
  BOOST_REQUIRE_EQUAL(::send(pair.guest.get(), "12345678", 8, MSG_OOB), 8);
  ::shutdown(pair.guest.get(), SHUT_WR);
  std::string all;
  char bytes[65536];
  for (ssize_t got; (got = ::recv(pair.server.get(), bytes, sizeof bytes, 0)) > 0;)
    all.append(bytes, static_cast<std::size_t>(got));
  BOOST_TEST(all == "12345678");
  int mark = -1;
  BOOST_TEST(::recv(pair.server.get(), &mark, 1, MSG_OOB) == -1);
}

BOOST_AUTO_TEST_CASE(pings_are_answered_by_the_outside) {
  auto lab = make_lab();
  LAB_OR_SKIP(lab);
  const UniqueFd raw = lab->guest_socket(SOCK_RAW, IPPROTO_ICMP);
  ping(raw, 1);
  const auto reply = test::receive(raw, 2s);
  if (lab->verdicts(Verdict::PingUnavailable) != 0) {
    BOOST_TEST_WARN(false, "the host has no ping sockets for us");
    return;
  }
  BOOST_REQUIRE(reply);
  BOOST_TEST(reply->size() == 20 + sizeof(icmphdr));
  BOOST_TEST((*reply)[20] == ICMP_ECHOREPLY);
  lab->on_nat([](Nat& nat) { BOOST_TEST(nat.sockets() == 0U); });
}

BOOST_AUTO_TEST_CASE(pings_that_nobody_answers_make_way_for_new_ones) {
  NatConfig config;
  config.limits.pings = 2;
  auto lab = make_lab(config);
  LAB_OR_SKIP(lab);
  bool deaf = false;
  lab->on_nat([&deaf](Nat&) {
    const UniqueFd ignore(::open("/proc/sys/net/ipv4/icmp_echo_ignore_all", O_WRONLY | O_CLOEXEC));
    deaf = ignore && ::write(ignore.get(), "1", 1) == 1;
  });
  const UniqueFd raw = lab->guest_socket(SOCK_RAW, IPPROTO_ICMP);
  ping(raw, 1);
  if (!deaf || lab->verdicts(Verdict::PingUnavailable) != 0) {
    BOOST_TEST_WARN(false, "the host has no ping sockets for us, or answers them always");
    return;
  }
  ping(raw, 2);
  ping(raw, 3);
  BOOST_TEST(lab->verdicts(Verdict::PingLimit) == 1U);
  const auto end = std::chrono::steady_clock::now() + 10s;
  while (lab->verdicts(Verdict::Pass) < 4 && std::chrono::steady_clock::now() < end) {
    ping(raw, 4);
    std::this_thread::sleep_for(10ms);
  }
  BOOST_TEST(lab->verdicts(Verdict::Pass) >= 4U);
  lab->on_nat([](Nat& nat) { BOOST_TEST(nat.sockets() == 2U); });
  // libslirp takes what made way for an unreachable host; the guest does not hear of that.
  BOOST_TEST(lab->stats().frames_out == 0U);
}

BOOST_AUTO_TEST_SUITE_END()
