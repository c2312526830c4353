#include <boost/test/unit_test.hpp>
#include <net/dns/local_names.hpp>
#include <net/dns/record_data.hpp>
#include <string>

namespace capsa::net::dns {
namespace {

IpAddress ip(std::string_view text) {
  return IpAddress::parse(text).value();
}

struct Fixture {
  LocalNames names = LocalNames::create("capsa.internal").value();
  Fixture() { names.add("Web", {ip("10.0.3.15"), ip("fd00::15")}).value(); }

  std::optional<Reply> ask(std::string_view name, Type type = Type::A, bool ask_private = false) {
    return names.answer({*Name::from_text(name), type, 1}, ask_private);
  }
  bool unknown(std::string_view name, Type type = Type::A) {
    const auto reply = ask(name, type);
    return reply && reply->rcode == Rcode::NameError && reply->answers.empty();
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(net_dns_local_names, Fixture)

BOOST_AUTO_TEST_CASE(a_member_is_known_by_its_name_with_and_without_the_domain) {
  for (const auto* name : {"web", "WEB", "web.capsa.internal", "Web.Capsa.Internal."}) {
    const auto reply = ask(name);
    BOOST_REQUIRE(reply);
    BOOST_REQUIRE(reply->answers.size() == 1U);
    BOOST_TEST(*address_in(reply->answers[0]) == ip("10.0.3.15"));
    BOOST_TEST(*address_in(ask(name, Type::Aaaa)->answers.at(0)) == ip("fd00::15"));
    BOOST_TEST(ask(name, Type::Mx)->answers.empty());
    BOOST_TEST((ask(name, Type::Mx)->rcode == Rcode::NoError));
  }
}

BOOST_AUTO_TEST_CASE(what_nobody_has_added_of_one_label_or_of_the_domain_does_not_exist) {
  for (const auto* name : {"db", "com", "db.capsa.internal", "a.web.capsa.internal",
                           "capsa.internal", "a.onion", "a.invalid"})
    BOOST_TEST(unknown(name), name);
}

BOOST_AUTO_TEST_CASE(other_names_are_not_ours) {
  for (const auto* name : {"web.example.org", "evilcapsa.internal", "internal.org", "web.web"})
    BOOST_TEST(!ask(name).has_value(), name);
  BOOST_TEST(!names.answer({Name(), Type::Ns, 1}, false).has_value());
}

BOOST_AUTO_TEST_CASE(localhost_is_the_guest_itself) {
  BOOST_TEST(*address_in(ask("localhost")->answers.at(0)) == ip("127.0.0.1"));
  BOOST_TEST(*address_in(ask("a.localhost", Type::Aaaa)->answers.at(0)) == ip("::1"));
}

BOOST_AUTO_TEST_CASE(an_address_is_known_by_its_name) {
  const auto v4 = ask("15.3.0.10.in-addr.arpa", Type::Ptr);
  BOOST_REQUIRE(v4);
  BOOST_TEST(name_in(v4->answers.at(0))->text() == "web.capsa.internal");
  const auto v6 =
      ask("5.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa", Type::Ptr);
  BOOST_REQUIRE(v6);
  BOOST_TEST(v6->answers.size() == 1U);
}

BOOST_AUTO_TEST_CASE(names_of_other_private_addresses_are_not_asked_for) {
  BOOST_TEST(unknown("1.1.168.192.in-addr.arpa", Type::Ptr));
  BOOST_TEST(unknown("1.0.0.127.in-addr.arpa", Type::Ptr));
  BOOST_TEST(!ask("1.1.168.192.in-addr.arpa", Type::Ptr, true).has_value());
  BOOST_TEST(!ask("8.8.8.8.in-addr.arpa", Type::Ptr).has_value());
}

BOOST_AUTO_TEST_CASE(only_a_whole_address_is_one) {
  const auto address = [](std::string_view text) {
    return reverse_address(*Name::from_text(text));
  };
  BOOST_TEST(*address("1.2.3.4.in-addr.arpa") == ip("4.3.2.1"));
  for (const auto* text : {"2.3.4.in-addr.arpa", "0.1.2.3.4.in-addr.arpa", "256.2.3.4.in-addr.arpa",
                           "01.2.3.4.in-addr.arpa", "a.2.3.4.in-addr.arpa", "in-addr.arpa",
                           "1.2.3.4.ip6.arpa", "0/25.2.3.4.in-addr.arpa", "1.2.3.4.example.org"})
    BOOST_TEST(!address(text).has_value(), text);
}

BOOST_AUTO_TEST_CASE(a_name_can_be_changed_and_removed) {
  names.add("web", {ip("10.0.3.16")}).value();
  BOOST_TEST(*address_in(ask("web")->answers.at(0)) == ip("10.0.3.16"));
  names.remove("WEB");
  BOOST_TEST(unknown("web"));
  BOOST_TEST(unknown("web.capsa.internal"));
  names.remove("not a name");
}

BOOST_AUTO_TEST_CASE(a_name_with_dots_is_known_as_it_is) {
  names.add("db.example.org", {ip("10.0.3.20")}).value();
  BOOST_TEST(ask("db.example.org")->answers.size() == 1U);
  BOOST_TEST(unknown("db.example.org.capsa.internal"));
}

BOOST_AUTO_TEST_CASE(what_is_no_name_is_refused_with_a_hint) {
  for (const auto& name : {std::string(), std::string("a b"), std::string(64, 'a')}) {
    const auto added = names.add(name, {});
    BOOST_REQUIRE(!added.ok());
    BOOST_TEST((added.error().code() == ErrorCode::InvalidConfig));
    BOOST_TEST(!added.error().hint().empty());
  }
  BOOST_TEST(!LocalNames::create("a..b").ok());
  auto none = LocalNames::create("").value();
  none.add("web", {ip("10.0.3.15")}).value();
  BOOST_TEST(none.answer({*Name::from_text("web"), Type::A, 1}, false)->answers.size() == 1U);
  BOOST_TEST(!none.answer({*Name::from_text("web.capsa.internal"), Type::A, 1}, false).has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::dns
