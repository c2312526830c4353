#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <backends/program/program.hpp>
#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstring>
#include <functional>
#include <net/host_nat/host_facts.hpp>
#include <net/host_nat/interface.hpp>
#include <net/host_nat/rules.hpp>
#include <net/host_nat/subnet.hpp>
#include <tests/unit/net/packet/frame_kit.hpp>
#include <thread>

using namespace capsa;
using namespace capsa::net::host_nat;
using capsa::net::test::ip;

namespace {

/// On a thread in a network of its own; false, and said why, where there can be none.
bool in_a_network(const std::function<void()>& work) {
  std::string missing;
  std::thread([&] {
    if (::unshare(CLONE_NEWNET) != 0)
      missing = std::strerror(errno);
    else
      work();
  }).join();
  if (!missing.empty()) BOOST_TEST_MESSAGE("skipped: no network namespace: " << missing);
  return missing.empty();
}

bool is_taken(const IpNetwork& network) {
  const auto taken = taken_networks();
  return std::find(taken.begin(), taken.end(), network) != taken.end();
}

std::string tables(const HostFacts& facts) {
  return program::run({.words = {facts.nft, "list tables"}}).value();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(interface)

BOOST_AUTO_TEST_CASE(an_interface_is_the_host_s_route_to_its_network_as_long_as_it_is_there) {
  in_a_network([] {
    if (!host_facts().has_tun) {
      BOOST_TEST_MESSAGE("skipped: there is no /dev/net/tun");
      return;
    }
    const auto network = IpNetwork::parse("10.0.4.0/24").value();
    {
      const auto first = make_interface(ip("10.0.4.1"), 24, 1500);
      BOOST_TEST_REQUIRE(first.ok());
      BOOST_TEST(first->device.name == "capsa0");
      BOOST_TEST(!first->mac.is_zero());
      BOOST_TEST(!first->mac.is_multicast());
      BOOST_TEST(is_taken(network));
      BOOST_TEST(is_taken(IpNetwork::around(ip("10.0.4.1"), 32)));
      BOOST_TEST(choose_subnet({}, taken_networks()).value().to_string() == "10.0.5.0/24");
      const auto second = make_interface(ip("10.0.5.1"), 24, 1500);
      BOOST_TEST_REQUIRE(second.ok());
      BOOST_TEST(second->device.name == "capsa1");
    }
    BOOST_TEST(!is_taken(network));
  });
}

BOOST_AUTO_TEST_CASE(the_rules_are_taken_by_nft_and_go_as_a_whole) {
  in_a_network([] {
    const auto facts = host_facts();
    if (facts.nft.empty()) {
      BOOST_TEST_MESSAGE("skipped: nft is not installed");
      return;
    }
    const auto text = ruleset({"capsa_7_1", "capsa0", ip("10.0.4.15")});
    const auto made = program::run({.words = {facts.nft, text}});
    BOOST_TEST_REQUIRE(made.ok(), (made.ok() ? "" : made.error().what()));
    BOOST_TEST(tables(facts) == "table inet capsa_7_1\n");
    // Nobody joins a table that is there.
    BOOST_TEST(!program::run({.words = {facts.nft, text}}).ok());
    BOOST_TEST(program::run({.words = {facts.nft, removal("capsa_7_1")}}).ok());
    BOOST_TEST(tables(facts).empty());
    // Whoever finds nothing has nothing to do.
    BOOST_TEST(program::run({.words = {facts.nft, removal("capsa_7_1")}}).ok());
    BOOST_TEST(tables(facts).empty());
  });
}

BOOST_AUTO_TEST_CASE(a_host_that_does_not_forward_is_seen) {
  in_a_network([] {
    // As every network namespace begins, unless the kernel was told otherwise.
    const auto facts = host_facts();
    BOOST_TEST(facts.may_administer);
    if (!facts.forwards && facts.has_tun && !facts.nft.empty())
      BOOST_TEST((check(facts).error().code() == ErrorCode::UnsupportedFeature));
  });
}

BOOST_AUTO_TEST_SUITE_END()
