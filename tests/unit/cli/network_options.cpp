#include <boost/test/unit_test.hpp>
#include <fstream>
#include <tests/support/scratch_dir.hpp>
#include <tools/cli/network_options.hpp>

using namespace capsa;
using namespace capsa::cli;

namespace {

UserNatConfig nat_of(const NetworkWords& words) {
  const auto mode = parse_network(words);
  BOOST_REQUIRE(mode.ok());
  const auto* nat = mode->get_if<UserNatConfig>();
  BOOST_REQUIRE(nat != nullptr);
  return *nat;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(network_options)

BOOST_AUTO_TEST_CASE(without_a_word_there_is_no_network) {
  BOOST_TEST(parse_network({}).value().is<NetworkMode::None>());
  NetworkWords words;
  words.mode = "none";
  BOOST_TEST(parse_network(words).value().is<NetworkMode::None>());
  words.publish = {"80:80"};
  BOOST_TEST(!parse_network(words).ok());
  words.mode.clear();
  BOOST_TEST(parse_network(words).value().is<UserNatConfig>());
}

BOOST_AUTO_TEST_CASE(ports_are_published_in_all_their_forms) {
  BOOST_TEST((parse_publish("8080:80").value() == PortForward::tcp(8080, 80)));
  BOOST_TEST((parse_publish("0:80/tcp").value() == PortForward::tcp(0, 80)));
  BOOST_TEST((parse_publish("5353:53/udp").value() == PortForward::udp(5353, 53)));
  BOOST_TEST((parse_publish("0.0.0.0:8080:80").value() ==
              PortForward::tcp(8080, 80).at(IpAddress::v4(0, 0, 0, 0))));
  for (const auto* wrong : {"", "80", ":80", "80:", "80:65536", "x:80", "80:80/sctp", "name:1:2"})
    BOOST_TEST(!parse_publish(wrong).ok(), wrong);
}

BOOST_AUTO_TEST_CASE(what_is_allowed_is_all_that_is_and_denials_go_first) {
  NetworkWords words;
  words.allow = {"*.example.com,192.0.2.1", ":443"};
  words.deny = {"bad.example.com"};
  const auto nat = nat_of(words);
  BOOST_TEST_REQUIRE(nat.policy.has_value());
  BOOST_TEST((nat.policy->default_action() == PolicyAction::Deny));
  BOOST_TEST_REQUIRE(nat.policy->rules().size() == 4U);
  BOOST_TEST((nat.policy->rules()[0].action == PolicyAction::Deny));
  BOOST_TEST(nat.policy->rules()[1].criteria.get_if<MatchCriteria::Domain>() != nullptr);
  BOOST_TEST(nat.policy->rules()[2].criteria.get_if<MatchCriteria::Ip>() != nullptr);
  BOOST_TEST(nat.policy->rules()[3].criteria.get_if<MatchCriteria::Port>() != nullptr);
  words.allow.clear();
  BOOST_TEST((nat_of(words).policy->default_action() == PolicyAction::Allow));
  words.allow = {"*.com"};
  BOOST_TEST(!parse_network(words).ok());
}

BOOST_AUTO_TEST_CASE(a_policy_is_read_from_a_file_and_from_nowhere_else_then) {
  const tests::ScratchDir scratch;
  const auto file = scratch.path() / "policy";
  std::ofstream(file) << "default deny\nallow domain api.example.com\n";
  NetworkWords words;
  words.policy_file = file.string();
  BOOST_TEST(nat_of(words).policy->rules().size() == 1U);
  words.allow = {":80"};
  BOOST_TEST(!parse_network(words).ok());
  words.allow.clear();
  std::ofstream(file) << "default maybe\n";
  BOOST_TEST(!parse_network(words).ok());
  words.policy_file = (scratch.path() / "none").string();
  const auto missing = parse_network(words);
  BOOST_TEST_REQUIRE(!missing.ok());
  BOOST_TEST((missing.error().code() == ErrorCode::NotFound));
}

BOOST_AUTO_TEST_CASE(the_host_s_nat_has_a_policy_like_the_user_s) {
  NetworkWords words;
  words.mode = "nat";
  words.allow = {"api.example.com"};
  const auto mode = parse_network(words);
  const auto* nat = mode.value().get_if<HostNatConfig>();
  BOOST_TEST_REQUIRE(nat != nullptr);
  BOOST_TEST_REQUIRE(nat->policy.has_value());
  BOOST_TEST(nat->policy->rules().size() == 1U);
}

BOOST_AUTO_TEST_CASE(other_modes_are_refused_by_name) {
  NetworkWords words;
  words.mode = "cluster";
  BOOST_TEST((parse_network(words).error().code() == ErrorCode::UnsupportedFeature));
  words.mode = "bridge";
  BOOST_TEST((parse_network(words).error().code() == ErrorCode::InvalidConfig));
  words.mode = "nat";
  BOOST_TEST(parse_network(words).value().is<NetworkMode::Nat>());
  words.publish = {"80:80"};
  BOOST_TEST((parse_network(words).error().code() == ErrorCode::UnsupportedFeature));
}

BOOST_AUTO_TEST_SUITE_END()
