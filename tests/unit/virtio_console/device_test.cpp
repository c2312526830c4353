#include <boost/test/unit_test.hpp>
#include <tests/unit/virtio_console/bench.hpp>

namespace capsa::virtio::console::test {

namespace {

Bytes config(const ConsoleDevice& device, std::size_t offset, std::size_t size) {
  Bytes bytes(size, std::byte{0xee});
  device.read_config(offset, bytes);
  return bytes;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(virtio_console_device)

BOOST_AUTO_TEST_CASE(one_port_has_two_queues_and_no_multiport) {
  const Bench bench;
  const auto identity = bench.device.identity();
  BOOST_TEST(identity.type == 3U);
  BOOST_TEST(identity.queue_sizes.size() == 2U);
  BOOST_TEST(identity.required_queues == 2U);
  BOOST_TEST(identity.config_size == 12U);
  BOOST_TEST((identity.features & kFeatureMultiport) == 0U);
  BOOST_TEST((identity.features & kFeatureSize) != 0U);
  BOOST_TEST((identity.features & kFeatureEmergencyWrite) != 0U);
}

BOOST_AUTO_TEST_CASE(each_port_more_has_two_queues_behind_those_for_control) {
  const Bench bench({PortSpec{}, {"log", false}, {"agent", false}});
  const auto identity = bench.device.identity();
  BOOST_TEST(identity.queue_sizes.size() == 8U);
  BOOST_TEST((identity.features & kFeatureMultiport) != 0U);
  BOOST_TEST(ConsoleDevice::receive_queue(1) == 4U);
  BOOST_TEST(ConsoleDevice::transmit_queue(2) == 7U);
}

BOOST_AUTO_TEST_CASE(bad_port_lists_are_refused) {
  RecordingHost host;
  const auto code = [&host](std::vector<PortSpec> ports) {
    const auto made = ConsoleDevice::create(host, std::move(ports));
    return made.ok() ? ErrorCode::Internal : made.error().code();
  };
  BOOST_TEST((code({}) == ErrorCode::InvalidConfig));
  BOOST_TEST((code(std::vector<PortSpec>(9)) == ErrorCode::InvalidConfig));
  BOOST_TEST((code({{std::string(65, 'x'), true}}) == ErrorCode::InvalidConfig));
  BOOST_TEST((code({{std::string("a\0b", 3), true}}) == ErrorCode::InvalidConfig));
  BOOST_TEST(ConsoleDevice::create(host, std::vector<PortSpec>(8)).ok());
}

BOOST_AUTO_TEST_CASE(configuration_holds_the_size_and_ends_after_twelve_bytes) {
  Bench bench({PortSpec{}, PortSpec{}});
  bench.device.resize(0, 0x1234, 0x0056);
  const Bytes whole = config(bench.device, 0, 16);
  BOOST_TEST(Bench::word(whole, 0) == 0x1234U);
  BOOST_TEST(Bench::word(whole, 2) == 0x56U);
  BOOST_TEST(Bench::word(whole, 4) == 2U);
  for (std::size_t i = 6; i < 16; ++i)
    BOOST_TEST((whole[i] == std::byte{0}));
  BOOST_TEST((config(bench.device, 1, 1) == Bytes{std::byte{0x12}}));
  BOOST_TEST((config(bench.device, 1'000'000, 1) == Bytes{std::byte{0}}));
}

BOOST_AUTO_TEST_CASE(a_resize_is_news_once_the_driver_is_there) {
  Bench bench;
  bench.device.resize(0, 80, 25);
  BOOST_TEST(bench.interrupt.changes == 0U);
  bench.boot();
  BOOST_TEST(bench.interrupt.changes == 1U);
  bench.device.resize(0, 80, 25);
  BOOST_TEST(bench.interrupt.changes == 1U);
  bench.device.resize(0, 100, 25);
  BOOST_TEST(bench.interrupt.changes == 2U);
  bench.device.suspend([] {});
  bench.device.resize(0, 120, 25);
  BOOST_TEST(bench.interrupt.changes == 2U);
  bench.boot();
  BOOST_TEST(bench.interrupt.changes == 3U);
}

BOOST_AUTO_TEST_CASE(an_emergency_write_is_output_of_port_0_without_any_driver) {
  Bench bench;
  bench.device.write_config(8, Bytes{std::byte{'a'}, {}, {}, {}});
  bench.device.write_config(0, Bytes(12, std::byte{'b'}));
  bench.device.write_config(8, Bytes{std::byte{'c'}});
  BOOST_TEST(bench.host.text[0] == "abc");
}

BOOST_AUTO_TEST_CASE(writes_elsewhere_in_configuration_are_ignored) {
  Bench bench;
  bench.device.write_config(0, Bytes(8, std::byte{'x'}));
  bench.device.write_config(9, Bytes(3, std::byte{'x'}));
  bench.device.write_config(8, {});
  bench.device.write_config(std::numeric_limits<std::size_t>::max(), Bytes(4, std::byte{'x'}));
  BOOST_TEST(bench.host.calls == 0U);
}

BOOST_AUTO_TEST_CASE(an_emergency_write_does_not_reach_a_host_that_waits_to_resume) {
  Bench bench;
  bench.host.allowance = 0;
  bench.device.write_config(8, Bytes{std::byte{'a'}});
  bench.host.allowance = 100;
  bench.device.write_config(8, Bytes{std::byte{'b'}});
  BOOST_TEST(bench.host.calls == 1U);
  bench.device.resume_output(0);
  bench.device.write_config(8, Bytes{std::byte{'c'}});
  BOOST_TEST(bench.host.text[0] == "c");
}

BOOST_AUTO_TEST_CASE(kicks_before_activation_and_to_unknown_queues_are_ignored) {
  Bench bench;
  for (QueueIndex queue = 0; queue < 20; ++queue)
    bench.device.process(queue);
  bench.device.process_more();
  BOOST_TEST(bench.host.take() == "");
  bench.boot();
  for (QueueIndex queue = 2; queue < 20; ++queue)
    bench.device.process(queue);
  bench.device.process(0xffff);
  BOOST_TEST(bench.host.take() == "open 0");
}

BOOST_AUTO_TEST_CASE(an_activation_with_too_few_queues_is_refused) {
  Bench bench;
  bench.driver.activate(bench.device, 0, 1);
  BOOST_TEST(!bench.device.active());
}

BOOST_AUTO_TEST_CASE(reset_tells_that_the_port_is_closed_and_suspend_does_not) {
  Bench bench;
  bench.boot();
  BOOST_TEST(bench.host.take() == "open 0");
  bool done = false;
  bench.device.suspend([&] { done = true; });
  BOOST_TEST(done);
  BOOST_TEST(!bench.device.active());
  bench.boot();
  BOOST_TEST(bench.host.take() == "");
  done = false;
  bench.device.reset([&] { done = true; });
  BOOST_TEST(done);
  BOOST_TEST(bench.host.take() == "closed 0");
  bench.device.reset([] {});
  BOOST_TEST(bench.host.take() == "");
}

BOOST_AUTO_TEST_CASE(calls_for_ports_that_do_not_exist_are_ignored) {
  Bench bench;
  bench.boot();
  BOOST_TEST(bench.input("x", 1) == 0U);
  bench.device.resume_output(7);
  bench.device.resize(8, 1, 1);
  bench.device.open(9);
  bench.device.close(0xffff'ffff);
  BOOST_TEST(!bench.device.guest_open(1));
  BOOST_TEST(bench.host.take() == "open 0");
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::virtio::console::test
