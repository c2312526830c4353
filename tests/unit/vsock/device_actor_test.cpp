// The device's actor, between an endpoint and a guest behind a vhost-user socket that the test
// plays.
#include <sys/eventfd.h>
#include <sys/socket.h>

#include <actors/vsock/vsock_device.hpp>
#include <array>
#include <atomic>
#include <cstring>
#include <tests/support/vhost_link.hpp>
#include <tests/unit/vhost_user/front_end.hpp>

#include "units_fixture.hpp"

using namespace capsa;
using namespace capsa::vsock_units::test;
using capsa::test::Bytes;
using capsa::test::bytes_of;
using capsa::test::message;
using capsa::test::vring;
using vhost_user::Request;
using vsock::Op;

namespace {

constexpr std::uint64_t kCid = 77;
constexpr std::uint32_t kPort = 1024;
constexpr virtio::QueueIndex kToGuest = vsock::VsockDevice::kReceiveQueue;
constexpr virtio::QueueIndex kToHost = vsock::VsockDevice::kTransmitQueue;

class Device : public Fixture<protocol::VsockActor> {
 public:
  Device() {
    int ends[2];
    BOOST_TEST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    front_.reset(ends[0]);
    other = system.spawn([this](caf::event_based_actor* self) { return endpoint_of(self); });
    unit = loop::spawn_on<protocol::VsockActor, vsock_units::VsockState>(
        system, loop, kCid, test::vhost_link(UniqueFd(ends[1])));
    tell(protocol::bind_atom_v, kPort, caf::actor_cast<protocol::VsockEndpoint>(other));
    settle();
    boot();
  }
  ~Device() { end(); }

  /// Until it has heard everything.
  void settle() {
    ask(protocol::bind_atom_v, kPort + 1, caf::actor_cast<protocol::VsockEndpoint>(other));
  }

  // -- the guest's part
  static vsock::Header header(std::uint32_t guest_port, Op op) {
    vsock::Header header;
    header.src_cid = kCid;
    header.dst_cid = vsock::kHostCid;
    header.src_port = guest_port;
    header.dst_port = kPort;
    header.op = op;
    header.buf_alloc = 256 * 1024;
    return header;
  }
  /// Into the ring; ring() kicks.
  void put(vsock::Header header, const std::string& payload = {}) {
    header.len = static_cast<std::uint32_t>(payload.size());
    const auto raw = vsock::encode(header);
    std::vector<Bytes> pieces{Bytes(raw.begin(), raw.end())};
    if (!payload.empty()) pieces.push_back(capsa::test::to_bytes(payload));
    while (driver.pop_used(kToHost)) {
    }
    driver.add(kToHost, pieces, {});
    driver.publish(kToHost);
  }
  void send(std::uint32_t guest_port, Op op, std::uint32_t flags = 0) {
    auto packet = header(guest_port, op);
    packet.flags = flags;
    put(packet);
    ring(kToHost);
  }
  void ring(virtio::QueueIndex queue) const {
    const std::uint64_t one = 1;
    BOOST_TEST_REQUIRE(::write(kicks_[queue].get(), &one, sizeof one) == sizeof one);
  }
  void give(int buffers) {
    for (int i = 0; i < buffers; ++i)
      driver.add(kToGuest, {}, {4096 + vsock::kHeaderSize});
    driver.publish(kToGuest);
    ring(kToGuest);
  }
  /// Waits for a packet of this kind; what comes before it is dropped.
  vsock::Header wait_packet(Op op) {
    vsock::Header got;
    wait_until([&] {
      while (got.op != op) {
        const auto used = driver.pop_used(kToGuest);
        if (!used) return false;
        got = vsock::decode(std::span<const std::byte>(used->data).first<vsock::kHeaderSize>());
      }
      return true;
    });
    return got;
  }
  /// Gives the connection that the endpoint was told of.
  ConnectionId open(std::uint32_t guest_port) {
    send(guest_port, Op::Request);
    wait_packet(Op::Response);
    wait_until([this] { return notes.count("accept") == 1; });
    notes.take();
    return last;
  }

  std::atomic<ConnectionId> last = 0;
  capsa::test::FakeDriver driver{{256, 256}};

 private:
  caf::behavior endpoint_of(caf::event_based_actor* self) {
    using namespace protocol;
    set_defaults(*self);
    return {
        [this](actors::accept_atom, ConnectionId id, std::uint64_t) {
          last = id;
          notes.add("accept");
        },
        [this](data_atom, ConnectionId id, const std::string& bytes) {
          notes.add((id == last ? "data " : "data of old ") + std::to_string(bytes.size()));
        },
        [](credit_atom, ConnectionId, std::uint64_t) {},
        [this](half_atom, ConnectionId, bool no_more_receive, bool no_more_send) {
          notes.add("half " + flags(no_more_receive, no_more_send));
        },
        [this](closed_atom, ConnectionId, const std::string& why) { notes.add("closed " + why); },
    };
  }

  void say(const Bytes& bytes, int fd = -1) const {
    iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    if (fd >= 0) {
      header.msg_control = control.data();
      header.msg_controllen = control.size();
      auto* rights = CMSG_FIRSTHDR(&header);
      rights->cmsg_level = SOL_SOCKET;
      rights->cmsg_type = SCM_RIGHTS;
      rights->cmsg_len = CMSG_LEN(sizeof(int));
      std::memcpy(CMSG_DATA(rights), &fd, sizeof fd);
    }
    BOOST_TEST_REQUIRE(::sendmsg(front_.get(), &header, MSG_NOSIGNAL) ==
                       static_cast<ssize_t>(bytes.size()));
  }
  void boot() {
    say(message(Request::SetFeatures, bytes_of(driver.queue_features())));
    say(message(Request::SetMemTable, mem_table(driver)), driver.memory_fd());
    for (std::uint32_t i = 0; i < 2; ++i) {
      say(message(Request::SetVringNum, vring(i, 256)));
      say(message(Request::SetVringAddr, vring_addr(driver, i)));
      say(message(Request::SetVringKick, bytes_of(std::uint64_t{i})), kicks_[i].get());
      say(message(Request::SetVringCall, bytes_of(std::uint64_t{i})), call_.get());
    }
    give(16);
  }

  UniqueFd front_;
  std::array<UniqueFd, 2> kicks_{capsa::test::make_eventfd(), capsa::test::make_eventfd()};
  UniqueFd call_ = capsa::test::make_eventfd();
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(vsock_device_actor, Device)

BOOST_AUTO_TEST_CASE(the_packets_of_one_turn_are_handed_on_together) {
  open(5000);
  for (int i = 0; i < 100; ++i)
    put(header(5000, Op::ReadWrite), "x");
  ring(kToHost);
  wait_until([this] { return notes.count("data") != 0; });
  BOOST_TEST(notes.take() == "data 100");
  // Large ones go alone: nothing is won by copying them together.
  for (int i = 0; i < 3; ++i)
    put(header(5000, Op::ReadWrite), std::string(60'000, 'x'));
  ring(kToHost);
  wait_until([this] { return notes.count("data") == 3; });
  BOOST_TEST(notes.take() == "data 60000; data 60000; data 60000");
  put(header(5000, Op::ReadWrite), "last");
  put(header(5000, Op::Reset));
  ring(kToHost);
  wait_until([this] { return notes.count("closed") == 1; });
  BOOST_TEST(notes.take() == "data 4; closed peer_reset");
}

BOOST_AUTO_TEST_CASE(a_connection_on_the_ports_of_an_old_one_is_another) {
  const auto old = open(5000);
  send(5000, Op::Reset);
  wait_until([this] { return notes.count("closed") == 1; });
  notes.take();
  const auto fresh = open(5000);
  BOOST_TEST(old != fresh);
  // Whatever is still said about the old one does not reach it.
  tell(protocol::data_atom_v, old, std::string("old"));
  tell(protocol::half_atom_v, old, true, true);
  tell(protocol::reset_atom_v, old);
  tell(protocol::data_atom_v, fresh, std::string("fresh"));
  BOOST_TEST(wait_packet(Op::ReadWrite).len == 5U);
  put(header(5000, Op::ReadWrite), "x");
  ring(kToHost);
  wait_until([this] { return notes.count("data") == 1; });
  BOOST_TEST(notes.take() == "data 1");
}

BOOST_AUTO_TEST_CASE(a_guest_that_receives_no_more_is_told_the_end_behind_what_it_did_not_take) {
  const auto id = open(6000);
  // More than the device keeps: the guest takes none of it.
  for (int i = 0; i < 8; ++i)
    tell(protocol::data_atom_v, id, std::string(32 * 1024, 'x'));
  tell(protocol::half_atom_v, id, true, true);
  settle();
  send(6000, Op::Shutdown, vsock::kShutdownReceive);
  wait_until([this] { return notes.count("half r-") == 1; });
  give(64);
  BOOST_TEST(wait_packet(Op::Shutdown).flags == vsock::kShutdownBoth);
  wait_until([this] { return notes.count("closed finished") == 1; });
}

BOOST_AUTO_TEST_SUITE_END()
