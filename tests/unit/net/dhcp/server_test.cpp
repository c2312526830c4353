#include <boost/test/unit_test.hpp>
#include <net/dhcp/server.hpp>
#include <set>
#include <tests/unit/net/dhcp/client.hpp>

namespace capsa::net::dhcp {
namespace {

using namespace std::chrono_literals;
using test::Bytes;
using test::ip;
using test::mac;
using test::Request;

constexpr unsigned kDiscover = 1, kRequest = 3, kDecline = 4, kRelease = 7, kInform = 8;

ServerOptions options() {
  ServerOptions out;
  out.server = ip("10.0.2.2");
  out.network = IpNetwork::parse("10.0.2.0/24").value();
  out.first = ip("10.0.2.15");
  out.last = ip("10.0.2.254");
  out.router = ip("10.0.2.2");
  out.dns = {ip("10.0.2.2"), ip("fd00::2")};
  out.domain = "capsa.internal";
  out.mtu = 1500;
  out.lease_time = 1h;
  return out;
}

struct Fixture {
  Server server = Server::create(options()).value();
  Server::Time now{};
  std::optional<ServerReply> reply;

  /// The type of the reply, 0 for none.
  unsigned send(const Request& request, const MacAddress& from = mac(1)) {
    reply = server.on_message(from, request.done(), now);
    return reply ? static_cast<unsigned>(*parse_message(reply->payload)->type()) : 0;
  }
  IpAddress your() { return parse_message(reply->payload)->your; }
  Bytes option(unsigned code) {
    const auto message = parse_message(reply->payload);
    const auto found = message->options.find(static_cast<std::uint8_t>(code));
    return found == message->options.end() ? Bytes() : found->second;
  }
  unsigned select(const MacAddress& from, const IpAddress& address) {
    return send(Request(kRequest, from).address(50, address).address(54, ip("10.0.2.2")), from);
  }
  IpAddress lease(unsigned guest) {
    BOOST_REQUIRE(send(Request(kDiscover, mac(guest)), mac(guest)) == 2U);
    const IpAddress address = your();
    BOOST_REQUIRE(select(mac(guest), address) == 5U);
    return address;
  }
};

Bytes bytes(std::initializer_list<int> values) {
  Bytes out;
  for (const int value : values)
    out.push_back(static_cast<std::byte>(value));
  return out;
}

}  // namespace

BOOST_FIXTURE_TEST_SUITE(net_dhcp_server, Fixture)

BOOST_AUTO_TEST_CASE(a_guest_discovers_and_requests_and_gets_all_that_a_network_needs) {
  BOOST_TEST(send(Request(kDiscover)) == 2U);
  BOOST_TEST(your() == ip("10.0.2.15"));
  BOOST_TEST((option(54) == bytes({10, 0, 2, 2})));
  BOOST_TEST((option(51) == bytes({0, 0, 0x0e, 0x10})));
  BOOST_TEST(select(mac(1), ip("10.0.2.15")) == 5U);
  const auto message = parse_message(reply->payload);
  BOOST_TEST(message->op == 2);
  BOOST_TEST(message->transaction == 0xdeadbeefU);
  BOOST_TEST(message->hardware == mac(1));
  BOOST_TEST((option(1) == bytes({255, 255, 255, 0})));
  BOOST_TEST((option(3) == bytes({10, 0, 2, 2})));
  BOOST_TEST((option(6) == bytes({10, 0, 2, 2})));
  BOOST_TEST((option(15) ==
              bytes({'c', 'a', 'p', 's', 'a', '.', 'i', 'n', 't', 'e', 'r', 'n', 'a', 'l'})));
  BOOST_TEST((option(26) == bytes({0x05, 0xdc})));
  BOOST_TEST((option(28) == bytes({10, 0, 2, 255})));
  BOOST_TEST((option(58) == bytes({0, 0, 0x07, 0x08})));
  BOOST_TEST((option(59) == bytes({0, 0, 0x0c, 0x4e})));
  BOOST_TEST(option(12).empty());
  BOOST_TEST(option(121).empty());
}

BOOST_AUTO_TEST_CASE(seventeen_guests_240_guests_and_one_too_many) {
  std::set<IpAddress> given;
  for (unsigned i = 1; i <= 240; ++i)
    given.insert(lease(i));
  BOOST_TEST(given.size() == 240U);
  BOOST_TEST(*given.begin() == ip("10.0.2.15"));
  BOOST_TEST(*given.rbegin() == ip("10.0.2.254"));
  BOOST_TEST(send(Request(kDiscover, mac(241)), mac(241)) == 0U);
  BOOST_TEST(server.stats().exhausted == 1U);
  now += 59min;
  BOOST_TEST(select(mac(17), ip("10.0.2.31")) == 5U);
  now += 1min;  // all others have ended
  BOOST_TEST(lease(241) != ip("10.0.2.31"));
  BOOST_TEST(lease(17) == ip("10.0.2.31"));
}

BOOST_AUTO_TEST_CASE(a_guest_gets_the_same_address_again_after_release_and_reboot) {
  const IpAddress address = lease(1);
  BOOST_TEST(send(Request(kRelease).client(address).address(54, ip("10.0.2.2"))) == 0U);
  BOOST_TEST(server.leases().live(now) == 0U);
  lease(2);
  BOOST_TEST(lease(1) == address);
  BOOST_TEST(send(Request(kRequest).address(50, address)) == 5U);  // INIT-REBOOT
}

BOOST_AUTO_TEST_CASE(renewing_and_rebinding_extend_the_lease) {
  const IpAddress address = lease(1);
  for (int i = 0; i < 3; ++i) {
    now += 50min;
    BOOST_TEST(send(Request(kRequest).client(address)) == 5U);
    BOOST_TEST(your() == address);
    BOOST_TEST(reply->address == address);  // by unicast
    BOOST_TEST(reply->mac == mac(1));
  }
  BOOST_TEST(server.leases().live(now + 59min) == 1U);
}

BOOST_AUTO_TEST_CASE(a_wrong_address_is_refused_to_all_in_every_state) {
  lease(1);
  lease(2);
  const IpAddress other = ip("10.0.2.16");
  const auto refused = [&](const Request& request) {
    return send(request) == 6U && reply->mac.is_broadcast() &&
           reply->address == ip("255.255.255.255") && your().is_unspecified() && option(51).empty();
  };
  BOOST_TEST(select(mac(1), other) == 6U);
  BOOST_TEST(refused(Request(kRequest).address(50, other)));              // INIT-REBOOT
  BOOST_TEST(refused(Request(kRequest).address(50, ip("192.168.1.5"))));  // from elsewhere
  BOOST_TEST(refused(Request(kRequest).client(other)));                   // RENEWING
  BOOST_TEST(refused(Request(kRequest).client(other).broadcast()));       // REBINDING
  BOOST_TEST(server.stats().naks == 5U);
}

BOOST_AUTO_TEST_CASE(a_guest_from_before_the_server_is_taken_at_its_word) {
  BOOST_TEST(send(Request(kRequest).client(ip("10.0.2.77"))) == 5U);
  BOOST_TEST(send(Request(kRequest, mac(2)).address(50, ip("10.0.2.78")), mac(2)) == 5U);
  BOOST_TEST(send(Request(kRequest, mac(3)).address(50, ip("10.0.2.78")), mac(3)) == 6U);
}

BOOST_AUTO_TEST_CASE(a_guest_that_selects_another_server_is_left_to_it) {
  send(Request(kDiscover));
  BOOST_TEST(send(Request(kRequest).address(50, ip("10.0.2.15")).address(54, ip("10.0.2.9"))) ==
             0U);
  BOOST_TEST(server.leases().live(now) == 0U);
}

BOOST_AUTO_TEST_CASE(a_request_for_nothing_is_ignored) {
  BOOST_TEST(send(Request(kRequest)) == 0U);
  BOOST_TEST(server.stats().ignored == 1U);
}

BOOST_AUTO_TEST_CASE(an_offer_that_is_not_taken_up_ends_soon) {
  send(Request(kDiscover));
  BOOST_TEST(server.leases().live(now + 59s) == 1U);
  BOOST_TEST(server.leases().live(now + 60s) == 0U);
}

BOOST_AUTO_TEST_CASE(a_declined_address_is_set_aside_for_a_while) {
  const IpAddress address = lease(1);
  send(Request(kDecline).address(50, address).address(54, ip("10.0.2.2")));
  BOOST_TEST(!reply.has_value());
  BOOST_TEST(lease(1) == ip("10.0.2.16"));
  BOOST_TEST(lease(2) == ip("10.0.2.17"));
  now += 10min;
  BOOST_TEST(lease(3) == address);
}

BOOST_AUTO_TEST_CASE(a_guest_that_only_informs_gets_no_address) {
  BOOST_TEST(send(Request(kInform).client(ip("10.0.2.9"))) == 5U);
  BOOST_TEST(your().is_unspecified());
  BOOST_TEST(reply->address == ip("10.0.2.9"));
  BOOST_TEST(option(51).empty());
  BOOST_TEST((option(6) == bytes({10, 0, 2, 2})));
  BOOST_TEST(server.leases().live(now) == 0U);
  BOOST_TEST(send(Request(kInform).client(ip("192.0.2.1"))) == 0U);
  BOOST_TEST(send(Request(kInform)) == 0U);
}

BOOST_AUTO_TEST_CASE(replies_go_to_all_where_the_flag_says_so) {
  send(Request(kDiscover));
  BOOST_TEST(reply->mac == mac(1));
  BOOST_TEST(reply->address == ip("10.0.2.15"));
  send(Request(kDiscover).broadcast());
  BOOST_TEST(reply->mac.is_broadcast());
  BOOST_TEST(reply->address == ip("255.255.255.255"));
  BOOST_TEST(parse_message(reply->payload)->flags == kBroadcastFlag);
}

BOOST_AUTO_TEST_CASE(nobody_speaks_for_another_mac) {
  lease(1);
  BOOST_TEST(send(Request(kRelease, mac(1)).client(ip("10.0.2.15")), mac(2)) == 0U);
  BOOST_TEST(send(Request(kDiscover, mac(3)), mac(2)) == 0U);
  BOOST_TEST(server.stats().spoofed == 2U);
  BOOST_TEST(server.leases().live(now) == 1U);
}

BOOST_AUTO_TEST_CASE(replies_relays_and_garbage_are_ignored) {
  BOOST_TEST(send(Request(kDiscover).set(0, {2})) == 0U);
  BOOST_TEST(send(Request(0)) == 0U);
  BOOST_TEST(send(Request(2)) == 0U);
  BOOST_TEST(send(Request(5)) == 0U);
  BOOST_TEST(send(Request(kDiscover).set(24, {10, 0, 2, 9})) == 0U);
  BOOST_TEST(!server.on_message(mac(1), Bytes(100), now).has_value());
  BOOST_TEST(server.stats().malformed == 3U);
  BOOST_TEST(server.stats().ignored == 3U);
}

BOOST_AUTO_TEST_CASE(only_what_a_client_lists_is_given_beyond_what_it_needs) {
  server.set_hostname(mac(1), "web").value();
  send(Request(kDiscover).option(55, {1, 3, 12}));
  BOOST_TEST((option(12) == bytes({'w', 'e', 'b'})));
  BOOST_TEST(option(15).empty());
  BOOST_TEST(option(26).empty());
  BOOST_TEST(option(6).size() == 4U);
}

BOOST_AUTO_TEST_CASE(a_client_identifier_is_given_back_but_not_believed) {
  send(Request(kDiscover).option(61, {0, 'a', 'b'}));
  BOOST_TEST((option(61) == bytes({0, 'a', 'b'})));
  const auto request = Request(kDiscover, mac(2)).option(61, {0, 'a', 'b'});
  send(request, mac(2));
  BOOST_TEST(your() == ip("10.0.2.16"));
}

BOOST_AUTO_TEST_CASE(a_reserved_guest_gets_its_address_and_its_name) {
  server.reserve(mac(1), ip("10.0.2.10"), "web").value();
  BOOST_TEST(lease(1) == ip("10.0.2.10"));
  BOOST_TEST((option(12) == bytes({'w', 'e', 'b'})));
  for (const auto* address : {"10.0.2.0", "10.0.2.255", "10.0.3.1", "10.0.2.2", "10.0.2.10"})
    BOOST_TEST(!server.reserve(mac(2), ip(address)).ok(), address);
  BOOST_TEST(!server.reserve(mac(2), ip("10.0.2.11"), "not a name").ok());
  BOOST_TEST(!server.set_hostname(mac(2), "-x").ok());
  server.forget(mac(1));
  BOOST_TEST(lease(1) == ip("10.0.2.15"));
}

BOOST_AUTO_TEST_CASE(a_reply_fits_what_the_client_takes) {
  auto wide = options();
  wide.domain = std::string(255, 'd');
  wide.dns.assign(63, ip("10.0.2.2"));
  server = Server::create(wide).value();
  send(Request(kDiscover));
  BOOST_TEST(reply->payload.size() <= 548U);
  send(Request(kDiscover).option(57, {0, 1}));  // less than anybody may say
  BOOST_TEST(reply->payload.size() <= 548U);
  send(Request(kDiscover).option(57, {0xff, 0xff}));
  BOOST_TEST(reply->payload.size() > 548U);
  BOOST_TEST(reply->payload.size() <= 1472U);
  BOOST_TEST(option(15).size() == 255U);
}

BOOST_AUTO_TEST_CASE(addresses_that_do_not_fit_each_other_are_refused) {
  const auto refused = [](auto change) {
    auto out = options();
    change(out);
    const auto made = Server::create(out);
    return !made.ok() && made.error().code() == ErrorCode::InvalidConfig;
  };
  BOOST_TEST(refused([](auto& o) { o.server = ip("10.0.3.2"); }));
  BOOST_TEST(refused([](auto& o) { o.first = ip("10.0.2.0"); }));
  BOOST_TEST(refused([](auto& o) { o.last = ip("10.0.2.255"); }));
  BOOST_TEST(refused([](auto& o) { o.last = ip("10.0.2.14"); }));
  BOOST_TEST(refused([](auto& o) { o.network = IpNetwork::parse("fd00::/64").value(); }));
  BOOST_TEST(refused([](auto& o) { o.domain = std::string(256, 'd'); }));
  BOOST_TEST(refused([](auto& o) { o.lease_time = 59s; }));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::dhcp
