#include <boost/test/unit_test.hpp>
#include <iostream>
#include <tests/conformance/guest_fixture.hpp>

using namespace capsa;
using namespace std::chrono_literals;
using test::guest_vm;

BOOST_AUTO_TEST_SUITE(lifecycle)

BOOST_AUTO_TEST_CASE(a_vm_boots_answers_and_powers_off) {
  auto vm = guest_vm(test::runtime()).agent_enabled().console_enabled().build().get();
  BOOST_TEST(vm.status() == VmStatus::created());
  vm.start().get();
  BOOST_TEST(vm.status() == VmStatus::running());
  auto ready = vm.agent();
  if (!ready.wait_for(15s)) std::cerr << "KLOG " << vm.kernel_log().get() << "\nCONSOLE " << vm.console().get().read_available().get() << std::endl;
  auto agent = ready.get();
  agent.ping().get();
  BOOST_TEST(agent.info().get().kernel_release == test::guest().kernel_version);
  auto stopping = vm.stop_with_timeout(8s);
  if (!stopping.wait_for(6s)) std::cerr << vm.kernel_log().get() << vm.console().get().read_available().get() << std::endl;
  stopping.get();
  BOOST_TEST(vm.status() == VmStatus::stopped(0));
  BOOST_TEST((vm.wait().get() == std::optional<int>(0)));
}

BOOST_AUTO_TEST_SUITE_END()
