#include <net/nat/forward.hpp>

#include <poll.h>
#include <sys/socket.h>

#include <boost/test/unit_test.hpp>

#include "lab.hpp"

using namespace capsa;            // NOLINT
using namespace capsa::net::nat;  // NOLINT
using namespace std::chrono_literals;
using test::Lab;

namespace {

struct Fixture {
  Fixture() {
    std::string why;
    lab = Lab::create({}, why);
    if (!lab) BOOST_TEST_WARN(false, "left out: " << why);
  }
  result<OpenForward> open(ForwardSpec spec) {
    result<OpenForward> out = error();
    lab->on_nat([&](Nat& nat) { out = nat.open_forward(spec, std::chrono::steady_clock::now()); });
    return out;
  }
  static ForwardSpec spec(ForwardProtocol protocol, std::uint16_t guest_port,
                          std::uint16_t host_port = 0) {
    ForwardSpec out;
    out.protocol = protocol;
    out.host_port = host_port;
    out.guest = Lab::guest_mac();
    out.guest_address = IpAddress::parse(Lab::kGuest).value();
    out.guest_port = guest_port;
    return out;
  }
  static UniqueFd accept_one(const UniqueFd& listener) {
    pollfd entry{listener.get(), POLLIN, 0};
    if (::poll(&entry, 1, 10'000) <= 0) return UniqueFd();
    return UniqueFd(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  }
  static std::string talk(const UniqueFd& from, const UniqueFd& to, const std::string& text) {
    if (::send(from.get(), text.data(), text.size(), MSG_NOSIGNAL) !=
        static_cast<ssize_t>(text.size()))
      return "not sent";
    return test::receive(to, 10s).value_or("nothing");
  }
  std::unique_ptr<Lab> lab;
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(nat_forward, Fixture)

BOOST_AUTO_TEST_CASE(a_tcp_port_of_the_host_reaches_a_guest_that_has_not_spoken_yet) {
  if (!lab) return;
  const UniqueFd listener = lab->guest_socket(SOCK_STREAM);
  test::listen_at(listener, Lab::kGuest);
  const auto forward = open(spec(ForwardProtocol::Tcp, test::port_of(listener)));
  BOOST_REQUIRE(forward.ok());
  BOOST_TEST(forward->host_port != 0);
  // More at once than libslirp's own backlog holds.
  std::vector<UniqueFd> clients;
  for (int at = 0; at < 20; ++at) {
    clients.push_back(lab->outside_socket(SOCK_STREAM));
    BOOST_TEST(test::connect_to(clients.back(), "127.0.0.1", forward->host_port) == 0);
  }
  std::vector<UniqueFd> servers;
  for (int at = 0; at < 20; ++at)
    servers.push_back(accept_one(listener));
  BOOST_REQUIRE(servers.back());
  BOOST_TEST(talk(clients.front(), servers.front(), "to the guest") == "to the guest");
  BOOST_TEST(talk(servers.front(), clients.front(), "and back") == "and back");

  // What is connected stays when the forward goes.
  lab->on_nat([&](Nat& nat) {
    BOOST_TEST(nat.close_forward(forward->id, std::chrono::steady_clock::now()).ok());
    BOOST_TEST((nat.close_forward(forward->id, {}).error().code() == ErrorCode::NotFound));
  });
  const UniqueFd late = lab->outside_socket(SOCK_STREAM);
  BOOST_TEST(test::connect_to(late, "127.0.0.1", forward->host_port) == ECONNREFUSED);
  BOOST_TEST(talk(clients.front(), servers.front(), "still") == "still");
}

BOOST_AUTO_TEST_CASE(a_udp_port_of_the_host_reaches_the_guest_and_it_answers_the_peer_only) {
  if (!lab) return;
  const UniqueFd server = lab->guest_socket(SOCK_DGRAM);
  test::bind_to(server, Lab::kGuest);
  const auto forward = open(spec(ForwardProtocol::Udp, test::port_of(server)));
  BOOST_REQUIRE(forward.ok());
  const UniqueFd client = lab->outside_socket(SOCK_DGRAM);
  BOOST_REQUIRE(test::send_to(client, "ask", "127.0.0.1", forward->host_port));
  std::uint16_t peer = 0;
  BOOST_TEST(test::receive(server, 10s, &peer).value_or("") == "ask");
  // The peer is seen as the gateway, which is out of reach otherwise.
  const UniqueFd bystander = lab->outside_socket(SOCK_DGRAM);
  test::bind_to(bystander, "127.0.0.1");
  BOOST_TEST(test::send_to(server, "evil", Lab::kGateway, test::port_of(bystander)));
  BOOST_TEST(test::send_to(server, "answer", Lab::kGateway, peer));
  BOOST_TEST(test::receive(client, 10s).value_or("") == "answer");
  BOOST_TEST(lab->verdicts(Verdict::HostLoopback) == 1U);
  BOOST_TEST(!test::receive(bystander, 0ms).has_value());
}

BOOST_AUTO_TEST_CASE(a_port_in_use_is_named) {
  if (!lab) return;
  for (const auto protocol : {ForwardProtocol::Tcp, ForwardProtocol::Udp}) {
    const bool tcp = protocol == ForwardProtocol::Tcp;
    const UniqueFd other = lab->outside_socket(tcp ? SOCK_STREAM : SOCK_DGRAM);
    test::bind_to(other, "127.0.0.1");
    if (tcp) BOOST_REQUIRE_EQUAL(::listen(other.get(), 1), 0);
    const std::uint16_t port = test::port_of(other);
    const auto forward = open(spec(protocol, 80, port));
    BOOST_REQUIRE(!forward.ok());
    BOOST_TEST((forward.error().code() == ErrorCode::ResourceExhausted));
    BOOST_TEST(forward.error().message().find("127.0.0.1:" + std::to_string(port)) !=
               std::string::npos);
  }
  lab->on_nat([](Nat& nat) { BOOST_TEST(nat.sockets() == 0U); });
}

BOOST_AUTO_TEST_CASE(what_cannot_be_forwarded_is_refused) {
  if (!lab) return;
  const auto code = [this](const ForwardSpec& wrong) {
    const auto forward = open(wrong);
    return forward.ok() ? ErrorCode::Internal : forward.error().code();
  };
  BOOST_TEST((code(spec(ForwardProtocol::Tcp, 0)) == ErrorCode::InvalidConfig));
  ForwardSpec wrong = spec(ForwardProtocol::Tcp, 80);
  wrong.bind_address = IpAddress::parse("::1").value();
  BOOST_TEST((code(wrong) == ErrorCode::InvalidConfig));
  wrong = spec(ForwardProtocol::Udp, 80);
  wrong.bind_address = IpAddress::v4(203, 0, 113, 1);
  BOOST_TEST((code(wrong) == ErrorCode::InvalidConfig));
  wrong = spec(ForwardProtocol::Tcp, 80);
  wrong.guest_address = IpAddress::v4(10, 0, 3, 1);
  BOOST_TEST((code(wrong) == ErrorCode::InvalidConfig));
}

BOOST_AUTO_TEST_SUITE_END()
