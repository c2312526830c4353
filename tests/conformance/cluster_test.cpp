#include <boost/test/unit_test.hpp>
#include <tests/conformance/guest_fixture.hpp>

using namespace capsa;
using namespace std::chrono_literals;
using test::code_of;

namespace {

/// A member that runs until it is killed, with its network set up.
VmHandle member(const std::string& name, NetworkMode mode) {
  auto vm = test::sandbox()
                .name(name)
                .memory_mb(256)
                .network(std::move(mode))
                .run("sleep", {"100000"})
                .build()
                .get();
  vm.main_process().get();
  return vm;
}

/// What a line of shell said in a guest, with what it ended with where that was not 0.
std::string shell(const VmHandle& vm, const std::string& line) {
  const auto out = vm.agent().get().exec(line).get();
  return out.stdout_data +
         (out.status.code == 0 ? "" : "(" + std::to_string(out.status.code) + ")");
}

bool reaches(const VmHandle& from, const std::string& to) {
  return shell(from, "ping -c 1 -W 2 " + to + " >/dev/null && echo yes") == "yes\n";
}

/// Three members of one cluster, and a fourth of another.
struct Lab {
  Cluster cluster = test::runtime().cluster("db", [] {
    ClusterConfig config;
    config.nat = false;
    return config;
  }());
  VmHandle one = member("one", NetworkMode::cluster("db").build());
  VmHandle two = member("Two", NetworkMode::cluster("db").build());
  VmHandle three =
      member("three", NetworkMode::cluster("db").address(IpAddress::v4(10, 0, 3, 200)).build());
  VmHandle stranger = member("stranger", NetworkMode::cluster("other").build());
};
Lab& lab() {
  static Lab all;
  return all;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(a_cluster)

BOOST_AUTO_TEST_CASE(its_members_reach_each_other_by_name) {
  for (const auto* from : {&lab().one, &lab().two, &lab().three})
    for (const auto* to : {"one", "two", "three"})
      BOOST_TEST(reaches(*from, to), from->name() << " pings " << to);
  // TCP as well, with an answer that cannot be an echo. It is given to one who has said all it has
  // to say, too: a listener that copies its own input would end on that before it had read any.
  auto listener =
      lab()
          .two.agent()
          .get()
          .start(ExecSpec::command({"nc", "-l", "-p", "4000", "-e", "sh", "-c", "echo $((6*7))"}))
          .get();
  std::string said;
  // It listens once it has begun to run, which nothing here tells.
  for (int tries = 0; tries < 50 && said != "42\n"; ++tries)
    said = shell(lab().one, "nc -w 2 two 4000 </dev/null || { sleep 0.1; false; }");
  BOOST_TEST(said == "42\n");
  listener.wait().get();
}

BOOST_AUTO_TEST_CASE(a_static_address_is_kept_and_all_are_told) {
  BOOST_TEST(shell(lab().three, "ip -4 -o addr show dev eth0").find("10.0.3.200/24") !=
             std::string::npos);
  const auto members = lab().cluster.members();
  BOOST_TEST_REQUIRE(members.size() == 3U);
  for (const auto& one : members)
    if (one.name == "three") BOOST_TEST(one.address == IpAddress::v4(10, 0, 3, 200));
}

BOOST_AUTO_TEST_CASE(another_cluster_is_another_world) {
  BOOST_TEST(!reaches(lab().stranger, "10.0.3.200"));
  BOOST_TEST(!reaches(lab().stranger, "three"));
  BOOST_TEST(!reaches(lab().three, "stranger"));
}

BOOST_AUTO_TEST_CASE(without_a_nat_nothing_leaves_it_and_that_is_told_at_once) {
  const auto begun = std::chrono::steady_clock::now();
  BOOST_TEST(shell(lab().one, "nc -w 20 203.0.113.1 80 </dev/null 2>&1; echo $?").find("1\n") !=
             std::string::npos);
  BOOST_TEST((std::chrono::steady_clock::now() - begun < 10s));
}

BOOST_AUTO_TEST_CASE(a_cable_that_is_pulled_cuts_one_member_off) {
  lab().cluster.set_link("Two", false).get();
  BOOST_TEST(!reaches(lab().one, "10.0.3.16"));
  BOOST_TEST(reaches(lab().one, "three"));
  lab().cluster.set_link("Two", true).get();
  BOOST_TEST(reaches(lab().one, "two"));
  BOOST_TEST(code_of(lab().cluster.set_link("nobody", true)) == ErrorCode::NotFound);
}

BOOST_AUTO_TEST_CASE(a_policy_is_one_member_s) {
  lab().cluster.set_policy("one", NetworkPolicy::deny_all()).get();
  BOOST_TEST(!reaches(lab().one, "10.0.3.200"));
  BOOST_TEST(reaches(lab().two, "three"));
  lab().cluster.set_policy("one", NetworkPolicy::allow_all()).get();
  BOOST_TEST(reaches(lab().one, "10.0.3.200"));
}

BOOST_AUTO_TEST_CASE(names_and_addresses_that_are_taken_are_refused) {
  const auto twice = test::sandbox()
                         .name("one")
                         .network(NetworkMode::cluster("db").build())
                         .run("true")
                         .build()
                         .result();
  BOOST_TEST_REQUIRE(!twice.ok());
  BOOST_TEST(twice.error().code() == ErrorCode::InvalidConfig);
  const auto taken =
      test::sandbox()
          .name("four")
          .network(NetworkMode::cluster("db").address(IpAddress::v4(10, 0, 3, 200)).build())
          .run("true")
          .build()
          .result();
  BOOST_TEST_REQUIRE(!taken.ok());
  BOOST_TEST(taken.error().code() == ErrorCode::InvalidConfig);
  BOOST_CHECK_THROW(test::runtime().cluster("db", ClusterConfig{}), capsa::error);
  BOOST_TEST(test::runtime().cluster("db").members().size() == 3U);
}

BOOST_AUTO_TEST_CASE(a_member_that_was_killed_and_replaced_has_its_lease_back) {
  const auto address_of = [](const std::string& name) {
    for (const auto& one : lab().cluster.members())
      if (one.name == name) return one.address.to_string() + " " + one.mac;
    return std::string("nobody");
  };
  const auto before = address_of("Two");
  lab().two.kill().get();
  BOOST_TEST(address_of("Two") == "nobody");
  BOOST_TEST(shell(lab().one, "nslookup two 10.0.3.1 >/dev/null && echo known") != "known\n");
  lab().two = member("Two", NetworkMode::cluster("db").build());
  BOOST_TEST(address_of("Two") == before);
  BOOST_TEST(reaches(lab().one, "two"));
  BOOST_TEST(reaches(lab().two, "one"));
}

BOOST_AUTO_TEST_CASE(without_a_way_out_has_no_ports_on_the_host) {
  BOOST_TEST(lab().cluster.members().size() == 3U);
  const auto published = [] {
    return test::sandbox()
        .name("published")
        .network(NetworkMode::cluster("db").forward_tcp(0, 80).build())
        .run("sleep", {"100000"})
        .build();
  };
  BOOST_TEST(code_of(published()) == ErrorCode::InvalidConfig);
  BOOST_TEST(lab().cluster.members().size() == 3U);
  BOOST_TEST(code_of(lab().one.network().get().add_forward(PortForward::tcp(0, 80))) ==
             ErrorCode::InvalidConfig);
}

BOOST_AUTO_TEST_CASE(an_address_of_one_who_left_can_be_had_and_is_not_had_twice) {
  lab().two.kill().get();
  const auto address = IpAddress::v4(10, 0, 3, 16);
  auto heir = member("heir", NetworkMode::cluster("db").address(address).build());
  BOOST_TEST(reaches(lab().one, "heir"));
  lab().two = member("Two", NetworkMode::cluster("db").build());
  for (const auto& one : lab().cluster.members())
    if (one.name == "Two") BOOST_TEST(one.address != address);
  BOOST_TEST(reaches(heir, "two"));
  BOOST_TEST(reaches(lab().one, "heir"));
}

BOOST_AUTO_TEST_SUITE_END()
