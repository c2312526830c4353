#include <actors/values/network_addresses.hpp>
#include <actors/values/validate.hpp>
#include <boost/test/unit_test.hpp>

using namespace capsa;

namespace {

/// The message of the refusal; empty where it is fine.
std::string refusal(NetworkMode mode) {
  VmConfig config;
  config.network = std::move(mode);
  const auto valid = validate(config, {});
  return valid.ok() ? "" : valid.error().message();
}

bool names(const std::string& message, const std::string& field) {
  return message.find(field) != std::string::npos;
}

UserNatConfig nat(const std::string& subnet) {
  UserNatConfig config;
  config.subnet = subnet;
  return config;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(validate_network)

BOOST_AUTO_TEST_CASE(the_defaults_are_those_that_were_promised) {
  const auto own = network_addresses(UserNatConfig{}).value();
  BOOST_TEST(own.gateway == IpAddress::v4(10, 0, 2, 2));
  BOOST_TEST(own.dhcp_start == IpAddress::v4(10, 0, 2, 15));
  BOOST_TEST(own.dhcp_end == IpAddress::v4(10, 0, 2, 254));
  const auto cluster = network_addresses(ClusterConfig{}).value();
  BOOST_TEST(cluster.subnet.to_string() == "10.0.3.0/24");
  BOOST_TEST(cluster.gateway == IpAddress::v4(10, 0, 3, 1));
  BOOST_TEST(cluster.dhcp_start == IpAddress::v4(10, 0, 3, 15));
  BOOST_TEST(refusal(NetworkMode::none()) == "");
  BOOST_TEST(refusal(NetworkMode::user_nat().build()) == "");
  BOOST_TEST(refusal(NetworkMode::cluster("db").build()) == "");
}

BOOST_AUTO_TEST_CASE(the_platform_s_nat_is_checked_like_the_others) {
  BOOST_TEST(refusal(NetworkMode::nat()) == "");
  HostNatConfig config;
  config.subnet = "192.168.77.0/24";
  BOOST_TEST(refusal(NetworkMode::nat(config)) == "");
  config.subnet = "192.168.77.1/24";
  BOOST_TEST(names(refusal(NetworkMode::nat(config)), "network.subnet"));
  config = {};
  config.mac = "02:00";
  BOOST_TEST(names(refusal(NetworkMode::nat(config)), "network.mac"));
  config = {};
  config.resolvers = {"dns.example"};
  BOOST_TEST(names(refusal(NetworkMode::nat(config)), "network.resolvers"));
  config = {};
  config.policy = NetworkPolicy::deny_all().allow_domain("*.com");
  BOOST_TEST(names(refusal(NetworkMode::nat(config)), "network.policy"));
}

BOOST_AUTO_TEST_CASE(behind_the_host_s_nat_the_host_has_the_first_address) {
  const auto chosen = network_addresses(HostNatConfig{}, IpNetwork::parse("10.0.4.0/24").value());
  BOOST_TEST(host_address(chosen.value()) == IpAddress::v4(10, 0, 4, 1));
  BOOST_TEST(chosen->gateway == IpAddress::v4(10, 0, 4, 2));
  BOOST_TEST(chosen->dhcp_start == IpAddress::v4(10, 0, 4, 15));
  HostNatConfig small;
  small.subnet = "192.168.7.0/29";
  const auto given = network_addresses(small, IpNetwork::parse("10.0.4.0/24").value());
  BOOST_TEST(host_address(given.value()) == IpAddress::v4(192, 168, 7, 1));
  BOOST_TEST(given->gateway == IpAddress::v4(192, 168, 7, 2));
  BOOST_TEST(given->dhcp_start == IpAddress::v4(192, 168, 7, 3));
}

BOOST_AUTO_TEST_CASE(a_small_subnet_has_a_range_behind_its_gateway) {
  const auto small = network_addresses(nat("192.168.7.0/29")).value();
  BOOST_TEST(small.gateway == IpAddress::v4(192, 168, 7, 2));
  BOOST_TEST(small.dhcp_start == IpAddress::v4(192, 168, 7, 3));
  BOOST_TEST(small.dhcp_end == IpAddress::v4(192, 168, 7, 6));
}

BOOST_AUTO_TEST_CASE(subnets_that_are_none_are_refused) {
  for (const auto* subnet : {"", "10.0.2.0", "10.0.2.1/24", "10.0.0.0/7", "10.0.0.0/30",
                             "127.0.0.0/8", "224.0.0.0/8", "169.254.0.0/16", "fd00::/64"})
    BOOST_TEST(names(refusal(NetworkMode::user_nat(nat(subnet))), "network.subnet"), subnet);
}

BOOST_AUTO_TEST_CASE(a_gateway_and_a_range_lie_in_the_subnet_and_apart) {
  BOOST_TEST(names(refusal(NetworkMode::user_nat().gateway(IpAddress::v4(10, 0, 9, 1)).build()),
                   "network.gateway"));
  BOOST_TEST(names(refusal(NetworkMode::user_nat().gateway(IpAddress::v4(10, 0, 2, 255)).build()),
                   "network.gateway"));
  BOOST_TEST(names(refusal(NetworkMode::user_nat().gateway(IpAddress::v4(10, 0, 2, 20)).build()),
                   "network.gateway"));
  BOOST_TEST(names(refusal(NetworkMode::user_nat()
                               .dhcp_range(IpAddress::v4(10, 0, 2, 30), IpAddress::v4(10, 0, 2, 20))
                               .build()),
                   "network.dhcp_end"));
}

BOOST_AUTO_TEST_CASE(port_forwards_are_checked_one_by_one) {
  const auto forwards = [](PortForward a, std::optional<PortForward> b = {}) {
    auto builder = NetworkMode::user_nat().forward(a);
    if (b) builder = std::move(builder).forward(*b);
    return refusal(std::move(builder).build());
  };
  BOOST_TEST(forwards(PortForward::tcp(8080, 80)) == "");
  BOOST_TEST(forwards(PortForward::tcp(0, 80), PortForward::tcp(0, 80)) == "");
  BOOST_TEST(forwards(PortForward::tcp(8080, 80), PortForward::udp(8080, 80)) == "");
  BOOST_TEST(names(forwards(PortForward::tcp(8080, 0)), "port_forwards[0]"));
  BOOST_TEST(names(forwards({Protocol::Icmp, 1, 1}), "port_forwards[0]"));
  BOOST_TEST(
      names(forwards(PortForward::tcp(8080, 80), PortForward::tcp(8080, 81)), "port_forwards[1]"));
  BOOST_TEST(names(forwards(PortForward::tcp(8080, 80),
                            PortForward::tcp(8080, 81).at(IpAddress::v4(0, 0, 0, 0))),
                   "port_forwards[1]"));
  BOOST_TEST(names(forwards(PortForward::tcp(1, 1).at(IpAddress::v6({}))), "port_forwards[0]"));
}

BOOST_AUTO_TEST_CASE(cards_resolvers_policies_and_clusters_are_checked) {
  BOOST_TEST(names(refusal(NetworkMode::user_nat().mac("01:00:5e:00:00:01").build()), "mac"));
  BOOST_TEST(names(refusal(NetworkMode::user_nat().mac("02:00").build()), "mac"));
  BOOST_TEST(refusal(NetworkMode::user_nat().mac("02:00:00:12:34:56").build()) == "");
  BOOST_TEST(names(refusal(NetworkMode::user_nat().queues(0).build()), "queues"));
  BOOST_TEST(names(refusal(NetworkMode::user_nat().queues(17).build()), "queues"));
  BOOST_TEST(names(refusal(NetworkMode::user_nat().resolver("dns.example").build()), "resolvers"));
  BOOST_TEST(names(refusal(NetworkMode::user_nat().resolver("1.2.3.4:0").build()), "resolvers"));
  BOOST_TEST(names(
      refusal(
          NetworkMode::user_nat().policy(NetworkPolicy::deny_all().allow_domain("*.com")).build()),
      "network.policy"));
  BOOST_TEST(names(refusal(NetworkMode::cluster("").build()), "network.cluster"));
  BOOST_TEST(
      names(refusal(NetworkMode::cluster("db").address(IpAddress::v6({})).build()), "address"));
}

BOOST_AUTO_TEST_CASE(resolvers_are_written_with_and_without_ports) {
  BOOST_TEST(parse_resolver("192.0.2.1").value().port == 53);
  BOOST_TEST(parse_resolver("192.0.2.1:5353").value().port == 5353);
  BOOST_TEST(parse_resolver("2001:db8::1").value().port == 53);
  BOOST_TEST(parse_resolver("[2001:db8::1]:5353").value().port == 5353);
  BOOST_TEST(parse_resolver("[2001:db8::1]").value().address.is_v6());
  for (const auto* wrong : {"", "[", "[::1", "[::1]x", "1.2.3.4:", "1.2.3.4:65536", "name:53"})
    BOOST_TEST(!parse_resolver(wrong).ok(), wrong);
}

BOOST_AUTO_TEST_SUITE_END()
