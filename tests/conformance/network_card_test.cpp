#include <boost/test/unit_test.hpp>
#include <tests/conformance/guest_fixture.hpp>

using namespace capsa;

BOOST_AUTO_TEST_SUITE(a_network_card)

BOOST_AUTO_TEST_CASE(has_one_queue_for_each_cpu_where_that_was_asked_for) {
  auto vm = test::sandbox()
                .cpus(2)
                .network(NetworkMode::user_nat().queues(2).build())
                .run("sleep", {"100000"})
                .build()
                .get();
  vm.main_process().get();
  const auto agent = vm.agent().get();
  BOOST_TEST(agent.exec("ls -d /sys/class/net/eth0/queues/tx-*").get().stdout_data ==
             "/sys/class/net/eth0/queues/tx-0\n/sys/class/net/eth0/queues/tx-1\n");
  // Each CPU sends by a queue of its own.
  for (const auto* cpu : {"1", "2"})
    BOOST_TEST(
        agent.exec(std::string("taskset ") + cpu + " ping -c 2 -W 5 10.0.2.2").get().status.code ==
            0,
        "by CPU mask " << cpu);
  vm.kill().get();
}

BOOST_AUTO_TEST_CASE(keeps_its_card_s_address_when_it_is_started_again) {
  auto vm = test::guest_vm(test::runtime())
                .agent_enabled()
                .network(NetworkMode::user_nat().build())
                .build()
                .get();
  std::string before;
  for (int boot = 0; boot < 2; ++boot) {
    vm.start().get();
    const auto mac = vm.agent().get().exec("cat /sys/class/net/eth0/address").get().stdout_data;
    BOOST_TEST(mac.size() == 18U);
    BOOST_TEST((before.empty() || mac == before), mac << " was " << before);
    before = mac;
    vm.kill().get();
  }
}

BOOST_AUTO_TEST_SUITE_END()
