#include <net/if.h>
#include <net/if_arp.h>
#include <net/route.h>
#include <netinet/in.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <backends/program/program.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <functional>
#include <iostream>
#include <net/host_nat/interface.hpp>
#include <sstream>
#include <tests/unit/net/hostile/port.hpp>
#include <tests/unit/net/packet/frame_kit.hpp>
#include <thread>

// Frames that scapy makes (frames.py), at a VM's port with all that is behind it.
namespace {

using namespace capsa;
using namespace capsa::net;
using namespace capsa::net::test;

constexpr const char* kPython = "/usr/bin/python3";

// No answer of ours is longer than what asked for it by more than this: a DHCP offer to a short
// question, an ICMP error with the packet that it is about, in whole frames.
constexpr std::uint64_t kAmplification = 3;

struct Group {
  std::vector<std::vector<std::byte>> frames;
};

std::vector<std::byte> from_hex(std::string_view text) {
  const auto digit = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
  std::vector<std::byte> out;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2)
    out.push_back(static_cast<std::byte>(digit(text[i]) * 16 + digit(text[i + 1])));
  return out;
}

/// Empty, and said why, where there is no scapy.
const std::map<std::string, Group>& groups() {
  static const std::map<std::string, Group> all = [] {
    std::map<std::string, Group> out;
    if (!program::run({.words = {kPython, "-c", "import scapy"}}).ok()) return out;
    program::Command command{.words = {kPython, HOSTILE_FRAMES}};
    command.line = [&out](std::string_view line) {
      const auto space = line.find(' ');
      if (space != std::string_view::npos)
        out[std::string(line.substr(0, space))].frames.push_back(from_hex(line.substr(space + 1)));
    };
    const auto made = program::run(command);
    BOOST_REQUIRE_MESSAGE(made.ok(), (made.ok() ? "" : made.error().what()));
    return out;
  }();
  return all;
}

void put(sockaddr& to, const char* address) {
  sockaddr_in in{};
  in.sin_family = AF_INET;
  const auto parsed = ip(address);
  std::memcpy(&in.sin_addr, parsed.bytes().data(), 4);
  std::memcpy(&to, &in, sizeof in);
}

/// A network whose only way out is an interface that nobody reads: connections are never answered.
std::string enter_black_hole(std::optional<host_nat::Interface>& hole) {
  if (::unshare(CLONE_NEWNET) != 0) return std::string("unshare: ") + std::strerror(errno);
  auto made = host_nat::make_interface(ip("198.51.100.2"), 24, 1500);
  if (!made.ok()) return made.error().what();
  hole = std::move(*made);
  const UniqueFd control(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  arpreq neighbor{};
  put(neighbor.arp_pa, "198.51.100.1");
  neighbor.arp_ha.sa_family = ARPHRD_ETHER;
  neighbor.arp_ha.sa_data[0] = 2;
  neighbor.arp_flags = ATF_PERM | ATF_COM;
  std::strcpy(neighbor.arp_dev, hole->device.name.c_str());
  rtentry route{};
  put(route.rt_dst, "0.0.0.0");
  put(route.rt_genmask, "0.0.0.0");
  put(route.rt_gateway, "198.51.100.1");
  route.rt_flags = RTF_UP | RTF_GATEWAY;
  if (::ioctl(control.get(), SIOCSARP, &neighbor) != 0 ||
      ::ioctl(control.get(), SIOCADDRT, &route) != 0)
    return std::string("route: ") + std::strerror(errno);
  return {};
}

/// On a thread in such a network, at a fresh port; not at all, and said why, where there can be
/// none.
void at_a_port(const std::function<void(Port&)>& work) {
  if (groups().empty()) {
    BOOST_TEST_MESSAGE("skipped: there is no scapy (Debian's package python3-scapy)");
    return;
  }
  std::string missing;
  std::thread([&] {
    std::optional<host_nat::Interface> hole;
    missing = enter_black_hole(hole);
    if (!missing.empty()) return;
    Port port;
    work(port);
  }).join();
  if (!missing.empty()) BOOST_TEST_MESSAGE("skipped: " << missing);
}

std::size_t open_fds() {
  std::size_t count = 0;
  for ([[maybe_unused]] const auto& one : std::filesystem::directory_iterator("/proc/self/fd"))
    ++count;
  return count;
}

Port::Totals send_all(Port& port, const std::string& group) {
  const auto before = port.totals();
  for (const auto& frame : groups().at(group).frames)
    port.send(frame);
  auto after = port.totals();
  after.frames_sent -= before.frames_sent;
  after.bytes_sent -= before.bytes_sent;
  after.frames_received -= before.frames_received;
  after.bytes_received -= before.bytes_received;
  after.dropped -= before.dropped;
  after.asked -= before.asked;
  return after;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(hostile_frames)

BOOST_AUTO_TEST_CASE(no_frame_is_answered_by_much_more_than_itself) {
  at_a_port([](Port& port) {
    for (const auto& [name, group] : groups()) {
      const auto seen = send_all(port, name);
      BOOST_TEST_MESSAGE(name << ": " << seen.frames_sent << " frames, " << seen.bytes_sent
                              << " bytes; " << seen.dropped << " dropped; " << seen.frames_received
                              << " answers, " << seen.bytes_received << " bytes; " << seen.asked
                              << " questions");
      BOOST_TEST(seen.bytes_received <= kAmplification * seen.bytes_sent, name);
      port.elapse(std::chrono::seconds(10));
    }
    // Nor later, when nobody asks any more, but for the announcements of a router.
    const auto before = port.totals();
    for (int minute = 0; minute < 10; ++minute)
      port.elapse(std::chrono::minutes(1));
    BOOST_TEST(port.totals().bytes_received - before.bytes_received < 20'000U);
  });
}

BOOST_AUTO_TEST_CASE(what_is_forged_or_broken_is_dropped_counted_and_not_answered) {
  struct Expected {
    const char* group;
    const char* counter;  ///< of most of it
  };
  for (const auto& [group, counter] :
       {Expected{"fragments", "guard: fragment"}, Expected{"ip_options", "guard: ip_options"},
        Expected{"bad_lengths", "guard: unparsable"},
        Expected{"bad_checksums", "guard: unparsable"},
        Expected{"arp_spoofs", "guard: spoofed_arp"},
        Expected{"spoofed_addresses", "guard: spoofed_ip"},
        Expected{"rogue_services", "guard: rogue_service"},
        Expected{"stations", "switch: spoofed"}})
    at_a_port([group = group, counter = counter](Port& port) {
      const auto seen = send_all(port, group);
      auto drops = port.drops();
      BOOST_TEST_MESSAGE(group << ": " << seen.frames_sent << " frames, " << drops[counter] << " "
                               << counter);
      BOOST_TEST(seen.dropped == seen.frames_sent, group);
      BOOST_TEST(drops[counter] * 2 > seen.frames_sent, group);
      BOOST_TEST(seen.frames_received == 0U, group);
      BOOST_TEST(port.sockets() == 0U, group);
      BOOST_TEST(port.flows() == 0U, group);
    });
}

BOOST_AUTO_TEST_CASE(headers_in_front_of_the_transport_let_nothing_through) {
  at_a_port([](Port& port) {
    const auto seen = send_all(port, "ipv6_headers");
    BOOST_TEST(seen.dropped == seen.frames_sent);
    BOOST_TEST(port.sockets() == 0U);
    BOOST_TEST(port.flows() == 0U);
  });
}

BOOST_AUTO_TEST_CASE(flags_that_no_stack_sends_open_nothing) {
  at_a_port([](Port& port) {
    const auto seen = send_all(port, "tcp_flags");
    BOOST_TEST(seen.dropped == seen.frames_sent);
    BOOST_TEST(port.sockets() == 0U);
  });
}

BOOST_AUTO_TEST_CASE(a_flood_of_flows_costs_no_more_descriptors_than_the_caps) {
  at_a_port([](Port& port) {
    const auto before = open_fds();
    const auto seen = send_all(port, "flows");
    const auto& limits = port.limits();
    BOOST_TEST_MESSAGE("sockets " << port.sockets() << ", descriptors " << open_fds() - before
                                  << ", flows " << port.flows() << ", dropped " << seen.dropped);
    // The flood was one: without a cap there would be one for each.
    BOOST_TEST(port.sockets() > limits.sockets / 2);
    BOOST_TEST(port.sockets() <= limits.sockets);
    BOOST_TEST(open_fds() - before <= limits.sockets + 1);
    BOOST_TEST(seen.dropped + limits.sockets >= seen.frames_sent);
  });
}

BOOST_AUTO_TEST_CASE(a_flood_of_questions_asks_few_of_others) {
  at_a_port([](Port& port) {
    const auto seen = send_all(port, "dns");
    // DnsStub's cap on what is under way for one guest.
    BOOST_TEST(seen.asked <= 64U);
    BOOST_TEST(seen.asked > 0U);
  });
}

BOOST_AUTO_TEST_CASE(a_flood_of_dhcp_gives_one_lease) {
  at_a_port([](Port& port) {
    send_all(port, "dhcp");
    port.elapse(std::chrono::seconds(10));
    // The guest's own address is still to be had.
    const auto before = port.totals();
    port.send(groups().at("dhcp").frames.front());
    BOOST_TEST(port.totals().frames_received == before.frames_received + 1);
  });
}

BOOST_AUTO_TEST_SUITE_END()
