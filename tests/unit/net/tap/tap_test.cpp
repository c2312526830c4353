#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/if_packet.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <net/offload.hpp>
#include <net/tap/tap.hpp>
#include <optional>
#include <string>
#include <tests/unit/net/frames.hpp>
#include <thread>

namespace capsa::net::test {

namespace {

/// A network of its own for the thread that makes it, in which it may do all; or why there is none.
std::string own_network() {
  const auto uid = ::geteuid();
  if (::unshare(CLONE_NEWNET) == 0) return {};
  // Only a process of one thread gets a new user.
  if (::unshare(CLONE_NEWUSER | CLONE_NEWNET) != 0)
    return std::string("unshare: ") + std::strerror(errno);
  std::ofstream("/proc/self/setgroups") << "deny";
  std::ofstream("/proc/self/uid_map") << "0 " << uid << " 1";
  return {};
}

/// Once, for all tests of this program: it stays in the network.
const std::string& network() {
  static const std::string why_not = [] {
    std::string why = own_network();
    if (why.empty() && ::access("/dev/net/tun", R_OK | W_OK) != 0)
      why = std::string("/dev/net/tun: ") + std::strerror(errno);
    return why;
  }();
  return why_not;
}

bool can_make_taps() {
  if (network().empty()) return true;
  BOOST_TEST_MESSAGE("skipped: " << network());
  return false;
}

struct Recorder final : FrameReceiver {
  void receive(FrameBatch batch) override {
    for (Frame& frame : batch)
      frames.push_back(std::move(frame));
  }
  void credit_available() override { ++credits; }
  Offloads offloads() const override { return takes; }
  std::vector<Frame> frames;
  std::size_t credits = 0;
  Offloads takes = kAllOffloads;
};

/// An interface that is up, a receiver at our side, and a raw socket at the kernel's.
struct Bench {
  Bench() {
    auto device = open_tap("");
    if (!device) BOOST_FAIL(device.error().what());
    tap = Tap::create(std::move(*device), pool).value();
    tap->attach(&receiver);
    raw = UniqueFd(::socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, htons(ETH_P_ALL)));
    BOOST_REQUIRE(raw.get() >= 0);
    // Neither autoconfiguration nor neighbour discovery is to send anything by itself.
    std::ofstream("/proc/sys/net/ipv6/conf/" + tap->name() + "/disable_ipv6") << "1";
    set_up(true);
    sockaddr_ll address{};
    address.sll_family = AF_PACKET;
    address.sll_protocol = htons(ETH_P_ALL);
    address.sll_ifindex = static_cast<int>(::if_nametoindex(tap->name().c_str()));
    BOOST_REQUIRE(::bind(raw.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
  }
  void set_up(bool up) {
    ifreq request{};
    std::strncpy(request.ifr_name, tap->name().c_str(), IFNAMSIZ - 1);
    BOOST_REQUIRE(::ioctl(raw.get(), SIOCGIFFLAGS, &request) == 0);
    request.ifr_flags =
        static_cast<short>(up ? request.ifr_flags | IFF_UP : request.ifr_flags & ~IFF_UP);
    BOOST_REQUIRE(::ioctl(raw.get(), SIOCSIFFLAGS, &request) == 0);
  }
  static bool wait(int fd) {
    pollfd poll{fd, POLLIN, 0};
    return ::poll(&poll, 1, 5000) == 1;
  }
  std::size_t send(const Bytes& bytes, FrameMeta meta = {}) {
    FrameBatch batch = pool->batch();
    batch.push(make_frame(*pool, bytes, meta));
    return tap->send(batch);
  }
  Bytes raw_receive() {
    BOOST_REQUIRE(wait(raw.get()));
    Bytes bytes(70'000);
    const ssize_t count = ::recv(raw.get(), bytes.data(), bytes.size(), 0);
    bytes.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
    return bytes;
  }
  void raw_send(const Bytes& bytes) {
    BOOST_REQUIRE(::send(raw.get(), bytes.data(), bytes.size(), 0) ==
                  static_cast<ssize_t>(bytes.size()));
  }

  std::shared_ptr<FramePool> pool = FramePool::create();
  Recorder receiver;
  std::unique_ptr<Tap> tap;
  UniqueFd raw;
};

/// Ethernet of a protocol that no stack answers.
Bytes unknown(std::size_t size, unsigned seed = 0) {
  Bytes frame = pattern(size, seed);
  frame[0] = frame[6] = std::byte{2};
  put16(frame, 12, 0x88b5);  // for experiments (IEEE 802)
  return frame;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(net_tap)

BOOST_AUTO_TEST_CASE(frames_go_to_the_kernel_and_come_from_it) {
  if (!can_make_taps()) return;
  Bench bench;
  BOOST_TEST(bench.send(unknown(100)) == 1U);
  BOOST_TEST((bench.raw_receive() == unknown(100)));
  BOOST_TEST(!bench.tap->on_readable());
  bench.raw_send(unknown(200, 1));
  bench.raw_send(unknown(1514, 2));
  BOOST_TEST(Bench::wait(bench.tap->fd()));
  BOOST_TEST(!bench.tap->on_readable());
  BOOST_REQUIRE(bench.receiver.frames.size() == 2U);
  BOOST_TEST((bytes_of(bench.receiver.frames[0]) == unknown(200, 1)));
  BOOST_TEST((bytes_of(bench.receiver.frames[1]) == unknown(1514, 2)));
  BOOST_TEST(bench.tap->stats().sent_frames == 1U);
  BOOST_TEST(bench.tap->stats().received_bytes == 1714U);
  BOOST_TEST(bench.tap->credit() == Tap::kBacklog);
  BOOST_TEST(!bench.tap->gone());
}

BOOST_AUTO_TEST_CASE(a_read_takes_one_batch_and_tells_that_there_is_more) {
  if (!can_make_taps()) return;
  Bench bench;
  for (unsigned at = 0; at < 300; ++at)
    bench.raw_send(unknown(60, at));
  BOOST_TEST(Bench::wait(bench.tap->fd()));
  BOOST_TEST(bench.tap->on_readable());
  BOOST_TEST(bench.receiver.frames.size() == 256U);
  BOOST_TEST(!bench.tap->on_readable());
  BOOST_TEST(bench.receiver.frames.size() == 300U);
}

BOOST_AUTO_TEST_CASE(the_kernel_takes_frames_with_work_left_to_do) {
  if (!can_make_taps()) return;
  Bench bench;
  Bytes large = tcp_frame(20'000);
  put16(large, 16, 20'040);
  large[22] = std::byte{64};
  put16(large, 24, 0);
  put16(large, 24, reference_checksum(std::span(large).subspan(14, 20)));
  BOOST_TEST(bench.send(large, tcp_gso()) == 1U);
  BOOST_TEST(bench.tap->stats().sent_frames == 1U);
  BOOST_TEST((bench.raw_receive() == large));
}

BOOST_AUTO_TEST_CASE(what_the_kernel_does_not_want_is_counted) {
  if (!can_make_taps()) return;
  Bench bench;
  FrameMeta lie = tcp_gso();
  lie.checksum_start = 60'000;
  BOOST_TEST(bench.send(tcp_frame(3000), lie) == 1U);
  BOOST_TEST(bench.tap->stats().send_refused == 1U);
  bench.set_up(false);
  BOOST_TEST(bench.send(unknown(100)) == 1U);
  BOOST_TEST(bench.tap->stats().send_refused == 2U);
}

BOOST_AUTO_TEST_CASE(frames_that_nobody_receives_are_counted) {
  if (!can_make_taps()) return;
  Bench bench;
  bench.tap->attach(nullptr);
  bench.raw_send(unknown(60));
  BOOST_TEST(Bench::wait(bench.tap->fd()));
  bench.tap->on_readable();
  BOOST_TEST(bench.tap->stats().receive_unaccepted == 1U);
  BOOST_TEST(bench.tap->stats().received_frames == 0U);
}

BOOST_AUTO_TEST_CASE(an_open_interface_can_be_handed_in) {
  if (!can_make_taps()) return;
  TapDevice device = open_tap("capsa-test").value();
  BOOST_TEST(device.name == "capsa-test");
  const auto busy = open_tap("capsa-test");
  BOOST_REQUIRE(!busy);
  BOOST_TEST((busy.error().code() == ErrorCode::ResourceExhausted));
  const auto adopted = adopt_tap(UniqueFd(::dup(device.fd.get())));
  BOOST_REQUIRE(adopted.ok());
  BOOST_TEST(adopted->name == "capsa-test");
  BOOST_TEST((::fcntl(adopted->fd.get(), F_GETFL) & O_NONBLOCK) != 0);
}

BOOST_AUTO_TEST_CASE(what_is_no_interface_is_not_taken) {
  for (const char* name : {"sixteen-letters-", "a/b", "a b", "..", "a:b"}) {
    const auto refused = open_tap(name);
    BOOST_REQUIRE(!refused);
    BOOST_TEST((refused.error().code() == ErrorCode::InvalidConfig));
  }
  const auto refused = adopt_tap(UniqueFd(::open("/dev/null", O_RDWR | O_CLOEXEC)));
  BOOST_REQUIRE(!refused);
  BOOST_TEST((refused.error().code() == ErrorCode::InvalidConfig));
}

BOOST_AUTO_TEST_CASE(without_the_right_the_error_names_it_and_the_way_out) {
  if (!can_make_taps()) return;
  // Only this thread gives up its rights, and does not come back.
  std::optional<error> why;
  std::string skipped;
  std::thread([&] {
    if (::syscall(SYS_setresuid, 65534, 65534, 65534) != 0) {
      skipped = std::strerror(errno);
      return;
    }
    const auto refused = open_tap("");
    if (!refused) why = refused.error();
  }).join();
  if (!skipped.empty()) {
    BOOST_TEST_MESSAGE("skipped: " << skipped);
    return;
  }
  BOOST_REQUIRE(why.has_value());
  BOOST_TEST((why->code() == ErrorCode::PermissionDenied));
  BOOST_TEST(why->hint().find("CAP_NET_ADMIN") != std::string::npos);
  BOOST_TEST(why->hint().find("UserNat") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::test
