#include <backends/virtio/vsock/device.hpp>
#include <boost/test/unit_test.hpp>
#include <tests/unit/vsock/fake_guest.hpp>

#include "front_end.hpp"

using namespace capsa;
using test::bytes_of;
using test::Conversation;
using test::rang;
using test::vring;
using vhost_user::Request;
using vsock::VsockDevice;

namespace {

/// A vsock device behind a session, with a driver that has given buffers.
struct VsockBench {
  VsockBench() {
    front.start();
    give_buffers();
  }

  void give_buffers() {
    for (int i = 0; i < 8; ++i)
      front.driver.add(VsockDevice::kReceiveQueue, {}, {4096});
    front.driver.publish(VsockDevice::kReceiveQueue);
    front.session.kicked(VsockDevice::kReceiveQueue);
  }
  void send(vsock::Op op, std::string_view payload = {}) {
    auto header = vsock::test::FakeGuest::header(key, op);
    header.len = static_cast<std::uint32_t>(payload.size());
    const auto raw = vsock::encode(header);
    std::vector<test::Bytes> pieces{{raw.begin(), raw.end()}};
    if (!payload.empty()) pieces.push_back(test::to_bytes(payload));
    front.driver.send(VsockDevice::kTransmitQueue, pieces);
    front.session.kicked(VsockDevice::kTransmitQueue);
    BOOST_TEST(front.driver.pop_used(VsockDevice::kTransmitQueue).has_value());
  }
  /// The next packet for the guest, by its operation and payload.
  std::pair<vsock::Op, std::string> next() {
    const auto used = front.driver.pop_used(VsockDevice::kReceiveQueue);
    if (!used || used->data.size() < vsock::kHeaderSize) return {vsock::Op::Invalid, ""};
    const auto bytes = std::span<const std::byte>(used->data);
    return {vsock::decode(bytes.first<vsock::kHeaderSize>()).op,
            std::string(test::to_text(bytes.subspan(vsock::kHeaderSize)))};
  }
  /// What a driver that begins finds: rings that it has zeroed.
  void clear_rings() {
    for (virtio::QueueIndex i = 0; i < 2; ++i) {
      front.driver.raw_available_index(i, 0);
      front.driver.memory()->store<std::uint16_t>(front.driver.ring(i).used + 2, 0);
    }
  }

  vsock::ConnectionKey key{1024, 5000};
  vsock::test::RecordingHost host;
  VsockDevice device{vsock::test::kGuestCid, host};
  test::FrontEnd front{device};
};

}  // namespace

BOOST_AUTO_TEST_SUITE(session_pause)

BOOST_AUTO_TEST_CASE(a_paused_driver_goes_on_where_it_was) {
  Conversation talk;
  talk.start();
  for (int i = 0; i < 20; ++i)
    talk.echo(0, "x");
  talk.echo(1, "y");
  const auto bases = talk.stop();
  BOOST_TEST((bases == std::vector<std::uint32_t>{20, 1}));
  BOOST_TEST(!talk.session.running());
  BOOST_TEST(talk.device.suspensions == 1);
  talk.go_on(bases);
  BOOST_TEST(talk.session.running());
  BOOST_TEST(talk.device.activations == 2);
  BOOST_TEST(talk.device.resets == 0);
  BOOST_TEST(talk.echo(0, "on") == "on");
  BOOST_TEST(talk.echo(1, "and on") == "and on");
}

BOOST_AUTO_TEST_CASE(what_is_answered_before_the_new_notifier_comes_is_signalled) {
  Conversation talk;
  talk.start();
  const auto bases = talk.stop();
  talk.driver.send(0, {test::to_bytes("meanwhile")}, {9});
  talk.go_on(bases);
  BOOST_TEST(test::to_text(talk.driver.pop_used(0).value().data) == "meanwhile");
  BOOST_TEST(rang(talk.call));
}

BOOST_AUTO_TEST_CASE(a_driver_that_begins_anew_gets_a_device_that_was_reset) {
  Conversation talk;
  talk.start();
  talk.echo(1, "x");
  talk.stop();
  BOOST_TEST(talk.device.resets == 0);
  talk.device.slow = true;
  talk.go_on({0, 0});
  BOOST_TEST(talk.device.resets == 1);
  BOOST_TEST(talk.device.activations == 1);
  BOOST_TEST(!talk.host.input_wanted);
  talk.device.finish_rest();
  BOOST_TEST(talk.host.input_wanted);
  BOOST_TEST(talk.session.running());
  BOOST_TEST(talk.device.activations == 2);
  // Known again: a pause of this one is a pause.
  talk.device.slow = false;
  talk.go_on(talk.stop());
  BOOST_TEST(talk.session.running());
  BOOST_TEST(talk.device.resets == 1);
}

BOOST_AUTO_TEST_CASE(an_index_that_jumps_under_a_running_device_is_another_driver_s) {
  Conversation talk;
  talk.start();
  talk.echo(0, "x");
  talk.say(Request::SetVringBase, vring(0, 1));
  BOOST_TEST(talk.device.resets == 0);
  talk.say(Request::SetVringBase, vring(0, 0));
  BOOST_TEST(talk.device.resets == 1);
  BOOST_TEST(talk.session.running());
}

BOOST_AUTO_TEST_CASE(input_waits_while_a_kick_starts_another_driver) {
  Conversation talk;
  talk.agree();
  talk.give_memory();
  for (std::uint32_t i = 0; i < 2; ++i)
    talk.ring(i);
  talk.session.kicked(0);
  talk.session.kicked(1);
  talk.echo(0, "x");
  for (std::uint32_t i = 0; i < 2; ++i)
    talk.ask(Request::GetVringBase, vring(i, 0));
  for (std::uint32_t i = 0; i < 2; ++i)
    talk.describe(i, 0);
  talk.device.slow = true;
  talk.session.kicked(0);
  BOOST_TEST(talk.host.input_wanted);
  talk.session.kicked(1);
  BOOST_TEST(talk.device.resets == 1);
  BOOST_TEST(!talk.host.input_wanted);
  talk.device.finish_rest();
  BOOST_TEST(talk.host.input_wanted);
  BOOST_TEST(talk.session.running());
}

BOOST_AUTO_TEST_CASE(a_session_that_ends_resets_a_suspended_device) {
  for (const bool closed : {false, true}) {
    test::EchoDevice device;
    {
      test::FrontEnd front(device);
      front.start();
      front.stop();
      BOOST_TEST(device.resets == 0);
      bool done = false;
      if (closed) {
        front.session.close([&] { done = true; });
        BOOST_TEST(done);
      }
    }
    BOOST_TEST(device.resets == 1);
  }
}

BOOST_AUTO_TEST_CASE(a_device_reset_by_message_forgets_a_suspended_driver) {
  Conversation talk;
  talk.start();
  talk.echo(0, "x");
  talk.stop();
  talk.say(Request::ResetDevice);
  BOOST_TEST(talk.device.resets == 1);
  talk.go_on({0, 0});
  BOOST_TEST(talk.session.running());
  BOOST_TEST(talk.device.resets == 1);
}

BOOST_AUTO_TEST_CASE(connections_survive_a_pause) {
  VsockBench bench;
  bench.send(vsock::Op::Request);
  BOOST_TEST((bench.next().first == vsock::Op::Response));
  bench.host.take();
  const auto bases = bench.front.stop();
  BOOST_TEST((bases == std::vector<std::uint32_t>{1, 1}));
  BOOST_TEST(bench.device.connections() == 1U);
  // What the host does meanwhile waits.
  BOOST_TEST(bench.device.send(bench.key, test::to_bytes("paused")) == 6U);
  const auto other = bench.device.connect(52);
  BOOST_REQUIRE(other.ok());
  BOOST_TEST((bench.next().first == vsock::Op::Invalid));
  bench.front.go_on(bases);
  BOOST_TEST((bench.next() == std::pair(vsock::Op::ReadWrite, std::string("paused"))));
  BOOST_TEST((bench.next().first == vsock::Op::Request));
  bench.send(vsock::Op::ReadWrite, "hello again");
  BOOST_TEST(test::to_text(bench.host.received[bench.key]) == "hello again");
  BOOST_TEST(bench.host.take() == "");
}

BOOST_AUTO_TEST_CASE(connections_survive_a_change_of_memory) {
  VsockBench bench;
  bench.send(vsock::Op::Request);
  bench.next();
  bench.front.give_memory();
  bench.send(vsock::Op::ReadWrite, "still here");
  BOOST_TEST(test::to_text(bench.host.received[bench.key]) == "still here");
}

BOOST_AUTO_TEST_CASE(connections_end_with_their_driver) {
  VsockBench bench;
  bench.send(vsock::Op::Request);
  bench.next();
  bench.host.take();
  bench.front.stop();
  // It may be a pause.
  BOOST_TEST(bench.host.take() == "");
  bench.clear_rings();
  bench.front.go_on({0, 0});
  BOOST_TEST(bench.host.take() == "closed device_reset 1024:5000");
  BOOST_TEST(bench.device.connections() == 0U);
  BOOST_TEST(bench.device.active());
}

BOOST_AUTO_TEST_CASE(what_ends_during_a_pause_is_told_afterwards) {
  VsockBench bench;
  bench.send(vsock::Op::Request);
  bench.next();
  const auto bases = bench.front.stop();
  bench.device.transport_reset();
  BOOST_TEST(bench.device.connections() == 0U);
  bench.front.go_on(bases);
  BOOST_TEST((bench.next().first == vsock::Op::Reset));
  BOOST_TEST((bench.next().first == vsock::Op::Invalid));
}

BOOST_AUTO_TEST_SUITE_END()
