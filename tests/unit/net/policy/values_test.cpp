#include <boost/test/unit_test.hpp>
#include <capsa/network_policy.hpp>

namespace capsa::net::test {

BOOST_AUTO_TEST_SUITE(net_policy_values)

BOOST_AUTO_TEST_CASE(a_pattern_matches_names_whatever_their_case_and_trailing_dot) {
  struct Case {
    const char* pattern;
    const char* name;
    bool matches;
  };
  const Case cases[] = {
      {"api.com", "api.com", true},
      {"api.com", "API.Com", true},
      {"API.COM.", "api.com", true},
      {"api.com", "api.com.", true},
      {"api.com", "api.com..", false},
      {"api.com", "x.api.com", false},
      {"api.com", "evilapi.com", false},
      {"api.com", "", false},
      {"*.x.com", "x.com", false},
      {"*.x.com", "a.x.com", true},
      {"*.x.com", "A.X.COM.", true},
      {"*.x.com", "a.b.c.x.com", true},
      {"*.x.com", "evilx.com", false},
      {"*.x.com", ".x.com", false},
      {"*.x.com", "a.x.com.evil.com", false},
      {"xn--bcher-kva.de", "XN--BCHER-KVA.de", true},
      {"db", "db", true},
  };
  for (const auto& test : cases) {
    const auto pattern = DomainPattern::parse(test.pattern);
    BOOST_TEST_REQUIRE(pattern.ok(), test.pattern);
    BOOST_TEST(pattern->matches(test.name) == test.matches, test.pattern << " " << test.name);
  }
}

BOOST_AUTO_TEST_CASE(patterns_that_nobody_can_mean_are_refused) {
  const std::string label(63, 'a');
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'a');
  BOOST_TEST(longest.size() == 253U);
  BOOST_TEST(DomainPattern::parse(longest).ok());
  BOOST_TEST(DomainPattern::parse(longest + ".").ok());
  for (const std::string& text :
       {std::string("*"),          std::string("*."),        std::string("*.com"),
        std::string("*.com."),     std::string("a.*.com"),   std::string("*a.x.com"),
        std::string("a*.x.com"),   std::string("*.*.com"),   std::string(""),
        std::string("."),          std::string("a..com"),    std::string(".a.com"),
        std::string("a.com.."),    std::string("bücher.de"), std::string("a b.com"),
        std::string("a.com/x"),    std::string("a.com:80"),  std::string("192.0.2.1"),
        std::string("::1"),        label + "a.com",          longest + "a",
        std::string("a\0b.com", 7)}) {
    const auto pattern = DomainPattern::parse(text);
    BOOST_TEST(!pattern.ok(), text);
    if (!pattern) BOOST_TEST(!pattern.error().hint().empty());
  }
  BOOST_TEST(DomainPattern::parse("bücher.de").error().hint().find("punycode") !=
             std::string::npos);
  BOOST_TEST(!DomainPattern::wildcard("github.com").validate().ok());
  BOOST_TEST(!DomainPattern::wildcard("github.com").matches("a.github.com"));
  BOOST_TEST(!DomainPattern::exact("*.github.com").validate().ok());
}

BOOST_AUTO_TEST_CASE(a_policy_reads_as_in_the_reference) {
  const auto policy = NetworkPolicy::deny_all()
                          .allow_dns()
                          .allow_https()
                          .allow_port(80)
                          .allow_ip(IpAddress::v4(8, 8, 8, 8))
                          .allow_ip_range("10.0.0.0", 8)
                          .allow_domain("api.example.com")
                          .allow_domain("*.github.com")
                          .deny_domain("*.evil.com")
                          .rule(PolicyAction::Log, MatchCriteria::any());
  BOOST_TEST(policy.validate().ok());
  BOOST_TEST(policy.rules().size() == 9U);
  BOOST_TEST(to_string(policy) ==
             "default deny\n"
             "allow udp port 53\n"
             "allow tcp port 443\n"
             "allow port 80\n"
             "allow ip 8.8.8.8\n"
             "allow ip 10.0.0.0/8\n"
             "allow domain api.example.com\n"
             "allow domain *.github.com\n"
             "deny domain *.evil.com\n"
             "log any\n");
  BOOST_TEST(parse_policy(to_string(policy)).value() == policy);
  NetworkPolicy named = NetworkPolicy::allow_all();
  named.deny_port(25).deny_ip("192.0.2.1");
  BOOST_TEST((named.rules().size() == 2 && named.validate().ok()));
  BOOST_TEST((named != policy));
}

BOOST_AUTO_TEST_CASE(a_bad_value_is_kept_and_refused_with_its_rule) {
  const auto refused = [](const NetworkPolicy& policy, const char* what) {
    const auto ok = policy.validate();
    BOOST_TEST(!ok.ok(), what);
    if (ok) return;
    BOOST_TEST((ok.error().code() == ErrorCode::InvalidConfig));
    BOOST_TEST(ok.error().message().find("rule 2 (") != std::string::npos, ok.error().message());
    BOOST_TEST(ok.error().message().find(what) != std::string::npos, ok.error().message());
    BOOST_TEST(!ok.error().hint().empty());
  };
  const auto base = NetworkPolicy::deny_all().allow_dns();
  refused(NetworkPolicy(base).allow_port(0), "port 0");
  refused(NetworkPolicy(base).allow_port(65536), "port 65536");
  refused(NetworkPolicy(base).allow_port(70000), "70000");
  refused(NetworkPolicy(base).allow_ip("1.2.3"), "\"1.2.3\"");
  refused(NetworkPolicy(base).allow_ip_range("10.0.0.1", 8), "10.0.0.1/8");
  refused(NetworkPolicy(base).allow_ip_range("10.0.0.0", 33), "33");
  refused(NetworkPolicy(base).allow_ip_range("x", 8), "\"x\"");
  refused(NetworkPolicy(base).allow_domain("*.com"), "*.com");
  refused(NetworkPolicy(base).deny_domain("*"), "\"*\"");
  refused(NetworkPolicy(base).rule(PolicyAction::Deny, MatchCriteria::port_range(90, 80)), "90-80");
  refused(
      NetworkPolicy(base).rule(PolicyAction::Deny,
                               MatchCriteria::all({MatchCriteria::any(), MatchCriteria::port(0)})),
      "port 0");
  auto deep = MatchCriteria::any();
  for (int i = 0; i < 9; ++i)
    deep = MatchCriteria::all({deep});
  refused(NetworkPolicy(base).rule(PolicyAction::Deny, deep), "nested");
  BOOST_TEST(NetworkPolicy(base).allow_ip_range("0.0.0.0", 0).validate().ok());
  BOOST_TEST(NetworkPolicy(base).allow_ip_range("192.0.2.1", 32).validate().ok());
  NetworkPolicy many;
  for (std::size_t i = 0; i <= NetworkPolicy::kMaxRules; ++i)
    many.allow_port(80);
  BOOST_TEST(!many.validate().ok());
}

BOOST_AUTO_TEST_CASE(a_policy_file_is_read_and_written_back) {
  const auto policy = parse_policy(
      "# what the build may reach\n"
      "default log\n"
      "\n"
      "  allow domain *.GitHub.com   # mirrors\r\n"
      "allow port 80-90 tcp\n"
      "deny ip 10.0.0.0/8\n"
      "deny ip 2001:db8::1\n"
      "log any\n"
      "allow all()\n"
      "allow all(icmp)\n"
      "allow udp all(port 1 all(port 2-2 domain a.b))\n"
      "deny all( udp ) all( )");
  BOOST_TEST_REQUIRE(policy.ok());
  BOOST_TEST((policy->default_action() == PolicyAction::Log));
  BOOST_TEST(policy->rules().size() == 9U);
  BOOST_TEST((policy->rules()[1].criteria ==
              MatchCriteria::all(
                  {MatchCriteria::port_range(80, 90), MatchCriteria::protocol(Protocol::Tcp)})));
  BOOST_TEST((policy->rules()[6].criteria ==
              MatchCriteria::all({MatchCriteria::protocol(Protocol::Icmp)})));
  BOOST_TEST(parse_policy(to_string(*policy)).value() == *policy);
  BOOST_TEST(parse_policy("").value() == NetworkPolicy::deny_all());
}

BOOST_AUTO_TEST_CASE(a_bad_line_is_named) {
  for (const char* line : {"permit any",
                           "allow",
                           "default",
                           "default maybe",
                           "default deny now",
                           "allow port",
                           "allow port x",
                           "allow port 80-",
                           "allow port 90-80",
                           "allow port 0",
                           "allow ip 10.0.0.1/8",
                           "allow ip",
                           "allow domain *",
                           "allow domain",
                           "allow sctp",
                           "allow all",
                           "allow all(",
                           "allow all( any",
                           "allow )",
                           "allow any )",
                           "allow all(all(all(all(all(all(all(all(all(any)))))))))",
                           "allow port 99999999999"}) {
    const auto policy = parse_policy(std::string("default deny\n\n") + line + "\n");
    BOOST_TEST(!policy.ok(), line);
    if (policy) continue;
    BOOST_TEST(policy.error().message().find("line 3") != std::string::npos,
               policy.error().message());
    BOOST_TEST(!policy.error().hint().empty());
  }
  BOOST_TEST(!parse_policy("default deny\ndefault deny").ok());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::test
