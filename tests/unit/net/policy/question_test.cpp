#include <boost/test/unit_test.hpp>
#include <net/policy/verdict.hpp>

namespace capsa::net::test {

BOOST_AUTO_TEST_SUITE(net_policy_question)

namespace {

using C = MatchCriteria;

NetworkPolicy deny() {
  return NetworkPolicy::deny_all();
}
NetworkPolicy allow() {
  return NetworkPolicy::allow_all();
}

}  // namespace

BOOST_AUTO_TEST_CASE(questions_are_judged_by_their_name) {
  const auto ask = [](const NetworkPolicy& policy, const char* name) {
    const auto verdict = judge_question(policy, name);
    return std::string(verdict.allowed ? "allow" : "deny") +
           (verdict.rule ? " by " + std::to_string(*verdict.rule) : "");
  };
  BOOST_TEST(ask(deny(), "a.com") == "deny");
  BOOST_TEST(ask(allow(), "a.com") == "allow");
  BOOST_TEST(ask(deny().allow_dns(), "a.com") == "allow by 0");
  BOOST_TEST(ask(deny().allow_https(), "a.com") == "deny");
  BOOST_TEST(ask(deny().allow_domain("a.com"), "A.com.") == "allow by 0");
  BOOST_TEST(ask(deny().allow_domain("a.com"), "secret.evil.com") == "deny");
  BOOST_TEST(ask(deny().deny_domain("evil.com").allow_dns(), "evil.com") == "deny by 0");
  BOOST_TEST(ask(deny().deny_domain("evil.com").allow_dns(), "a.com") == "allow by 1");
  // What the rule asks of flows to come does not keep the name from being asked for.
  const auto narrow = C::all({C::domain(DomainPattern::exact("a.com")), C::port(443)});
  BOOST_TEST(ask(deny().rule(PolicyAction::Allow, narrow), "a.com") == "allow by 0");
  BOOST_TEST(ask(allow().rule(PolicyAction::Deny, narrow), "a.com") == "allow");
  // Nor do rules about addresses: the resolver is ours.
  BOOST_TEST(ask(allow().deny_ip_range("10.0.0.0", 8), "a.com") == "allow");
  BOOST_TEST(ask(deny().allow_ip_range("0.0.0.0", 0), "a.com") == "deny");
  BOOST_TEST(ask(allow().rule(PolicyAction::Deny, C::protocol(Protocol::Udp)), "a.com") ==
             "deny by 0");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::test
