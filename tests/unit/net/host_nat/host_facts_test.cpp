#include <boost/test/unit_test.hpp>
#include <net/host_nat/host_facts.hpp>

using namespace capsa;
using namespace capsa::net::host_nat;

namespace {

const HostFacts kGood{true, true, "/usr/sbin/nft", true};

ErrorCode code_without(void (*lack)(HostFacts&), const std::string& word) {
  HostFacts facts = kGood;
  lack(facts);
  const auto checked = check(facts);
  BOOST_REQUIRE(!checked.ok());
  BOOST_TEST(checked.error().message().find(word) != std::string::npos, checked.error().message());
  // Whoever cannot have it is told what there is instead.
  BOOST_TEST(checked.error().hint().find("user_nat()") != std::string::npos);
  return checked.error().code();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(host_facts_of_the_host)

BOOST_AUTO_TEST_CASE(a_host_that_has_everything_is_fine) {
  BOOST_TEST(check(kGood).ok());
}

BOOST_AUTO_TEST_CASE(what_is_missing_is_named) {
  BOOST_TEST((code_without([](HostFacts& f) { f.may_administer = false; }, "CAP_NET_ADMIN") ==
              ErrorCode::PermissionDenied));
  BOOST_TEST((code_without([](HostFacts& f) { f.has_tun = false; }, "/dev/net/tun") ==
              ErrorCode::NotFound));
  BOOST_TEST((code_without([](HostFacts& f) { f.nft.clear(); }, "nft") == ErrorCode::NotFound));
  BOOST_TEST((code_without([](HostFacts& f) { f.forwards = false; }, "net.ipv4.ip_forward") ==
              ErrorCode::UnsupportedFeature));
}

BOOST_AUTO_TEST_SUITE_END()
