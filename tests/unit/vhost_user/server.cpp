#include <sys/socket.h>

#include <backends/vhost_user/server.hpp>
#include <boost/test/unit_test.hpp>
#include <tests/support/test_loop.hpp>

#include "front_end.hpp"

using namespace capsa;
using test::operator+;
using test::Bytes;
using test::bytes_of;
using test::message;
using test::vring;
using vhost_user::Request;

namespace {

/// A front-end at the other end of a socket.
struct Front {
  Front() {
    int ends[2];
    BOOST_REQUIRE_EQUAL(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    socket.reset(ends[0]);
    theirs.reset(ends[1]);
  }

  void say(const Bytes& bytes, const std::vector<int>& fds = {}) {
    iovec part{const_cast<std::byte*>(bytes.data()), bytes.size()};
    alignas(cmsghdr) std::array<char, CMSG_SPACE(64 * sizeof(int))> control{};
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    if (!fds.empty()) {
      header.msg_control = control.data();
      header.msg_controllen = CMSG_SPACE(fds.size() * sizeof(int));
      auto* rights = CMSG_FIRSTHDR(&header);
      rights->cmsg_level = SOL_SOCKET;
      rights->cmsg_type = SCM_RIGHTS;
      rights->cmsg_len = CMSG_LEN(fds.size() * sizeof(int));
      std::memcpy(CMSG_DATA(rights), fds.data(), fds.size() * sizeof(int));
    }
    BOOST_REQUIRE_EQUAL(::sendmsg(socket.get(), &header, MSG_NOSIGNAL), ssize_t(bytes.size()));
  }
  Bytes hear() {
    Bytes bytes(4096);
    const auto length = ::recv(socket.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    bytes.resize(length > 0 ? static_cast<std::size_t>(length) : 0);
    return bytes;
  }

  UniqueFd socket, theirs;
};

struct Served {
  Served() {
    server = std::make_unique<vhost_user::Server>(
        loop, std::move(front.theirs), device,
        [this](result<void> outcome) { closed = std::move(outcome); });
  }

  /// Starts the device the way that QEMU does, all messages sent before any is read: the kernel
  /// then joins what it can.
  void start() {
    front.say(message(Request::SetFeatures, bytes_of(driver.queue_features())));
    front.say(message(Request::SetMemTable, mem_table(driver)), {driver.memory_fd()});
    for (std::uint32_t i = 0; i < 2; ++i) {
      front.say(message(Request::SetVringNum, vring(i, 16)));
      front.say(message(Request::SetVringAddr, vring_addr(driver, i)));
      front.say(message(Request::SetVringKick, bytes_of(std::uint64_t{i})), {kick[i].get()});
      front.say(message(Request::SetVringCall, bytes_of(std::uint64_t{i})), {call[i].get()});
    }
    loop.run_ready();
    BOOST_REQUIRE(server->running());
  }
  std::string echo(std::uint16_t queue, std::string_view text) {
    driver.send(queue, {test::to_bytes(text)}, {text.size()});
    const std::uint64_t one = 1;
    BOOST_TEST(::write(kick[queue].get(), &one, 8) == 8);
    loop.run_ready();
    const auto used = driver.pop_used(queue);
    return used ? std::string(test::to_text(used->data)) : "nothing";
  }

  tests::TestLoop loop;
  Front front;
  test::FakeDriver driver{{16, 16, 16}};
  test::EchoDevice device;
  std::array<UniqueFd, 2> kick{test::make_eventfd(), test::make_eventfd()};
  std::array<UniqueFd, 2> call{test::make_eventfd(), test::make_eventfd()};
  std::optional<result<void>> closed;
  std::unique_ptr<vhost_user::Server> server;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(server)

BOOST_AUTO_TEST_CASE(descriptors_stay_with_their_message_and_kicks_reach_the_device) {
  Served served;
  served.start();
  BOOST_TEST(served.echo(0, "zero") == "zero");
  BOOST_TEST(served.echo(1, "one") == "one");
  std::uint64_t count = 0;
  BOOST_TEST(::read(served.call[1].get(), &count, 8) == 8);
  BOOST_TEST(!served.closed.has_value());
}

BOOST_AUTO_TEST_CASE(questions_are_answered) {
  Served served;
  served.front.say(message(Request::GetQueueNum) + message(Request::GetQueueNum));
  served.loop.run_ready();
  BOOST_TEST(served.front.hear().size() == 40U);
}

BOOST_AUTO_TEST_CASE(the_end_of_the_peer_is_told_once_the_device_is_at_rest) {
  Served served;
  served.start();
  served.device.slow = true;
  served.front.socket.reset();
  served.loop.run_ready();
  BOOST_TEST(!served.closed.has_value());
  served.device.finish_rest();
  BOOST_REQUIRE(served.closed.has_value());
  BOOST_TEST(served.closed->ok());
  BOOST_TEST(!served.server->running());
}

BOOST_AUTO_TEST_CASE(a_peer_that_ends_inside_a_message_is_an_error) {
  Served served;
  auto part = message(Request::GetFeatures);
  part.resize(5);
  served.front.say(part);
  served.loop.run_ready();
  served.front.socket.reset();
  served.loop.run_ready();
  BOOST_REQUIRE(served.closed.has_value());
  BOOST_TEST((served.closed->error().code() == ErrorCode::ConnectionClosed));
}

BOOST_AUTO_TEST_CASE(a_peer_that_ends_while_the_device_comes_to_rest_is_noticed) {
  Served served;
  served.start();
  served.device.slow = true;
  served.front.say(message(Request::GetVringBase, vring(0, 0)));
  served.loop.run_ready();
  served.front.socket.reset();
  served.loop.run_ready();
  BOOST_TEST(!served.closed.has_value());
  served.device.finish_rest();
  served.loop.run_ready();
  BOOST_TEST(!served.closed.has_value());
  served.device.finish_rest();
  served.loop.run_ready();
  BOOST_REQUIRE(served.closed.has_value());
  BOOST_TEST(!served.closed->ok());
}

BOOST_AUTO_TEST_CASE(an_answer_waits_for_the_device_and_later_messages_for_the_answer) {
  Served served;
  served.start();
  served.device.slow = true;
  served.front.say(message(Request::GetVringBase, vring(0, 0)));
  served.front.say(message(Request::GetQueueNum));
  served.loop.run_ready();
  BOOST_TEST(served.front.hear().empty());
  served.device.finish_rest();
  served.loop.run_ready();
  BOOST_TEST(served.front.hear().size() == 40U);
}

BOOST_AUTO_TEST_CASE(a_broken_message_ends_the_connection) {
  Served served;
  served.start();
  served.front.say(message(Request::GetFeatures, {}, false, 2));
  served.loop.run_ready();
  BOOST_REQUIRE(served.closed.has_value());
  BOOST_TEST((served.closed->error().code() == ErrorCode::BackendFailed));
  BOOST_TEST(!served.device.active.has_value());
  std::byte one;
  BOOST_TEST(::recv(served.front.socket.get(), &one, 1, MSG_DONTWAIT) <= 0);
}

BOOST_AUTO_TEST_CASE(more_descriptors_than_the_cap_end_the_connection) {
  Served served;
  served.front.say(message(Request::SetOwner), std::vector<int>(9, served.kick[0].get()));
  served.loop.run_ready();
  BOOST_REQUIRE(served.closed.has_value());
  BOOST_TEST(!served.closed->ok());
}

BOOST_AUTO_TEST_CASE(a_peer_that_does_not_read_is_cut_off) {
  Served served;
  Bytes many;
  for (int i = 0; i < 200; ++i)
    many = many + message(Request::GetQueueNum);
  for (int i = 0; i < 1000 && !served.closed; ++i) {
    served.front.say(many);
    served.loop.run_ready();
  }
  BOOST_REQUIRE(served.closed.has_value());
  BOOST_TEST(!served.closed->ok());
}

BOOST_AUTO_TEST_CASE(closing_waits_for_the_device_and_tells_nobody_else) {
  Served served;
  served.start();
  served.device.slow = true;
  int done = 0;
  served.server->close([&] { ++done; });
  served.server->close([&] { ++done; });
  served.loop.run_ready();
  BOOST_TEST(done == 0);
  served.device.finish_rest();
  BOOST_TEST(done == 2);
  served.server->close([&] { ++done; });
  BOOST_TEST(done == 3);
  served.loop.run_ready();
  BOOST_TEST(!served.closed.has_value());
}

BOOST_AUTO_TEST_CASE(the_server_may_be_destroyed_in_its_callbacks) {
  Served served;
  served.start();
  served.server->close([&] { served.server.reset(); });
  BOOST_TEST(!served.server);

  Served other;
  other.server = nullptr;
  other.front = Front();
  other.server =
      std::make_unique<vhost_user::Server>(other.loop, std::move(other.front.theirs), other.device,
                                           [&](const result<void>&) { other.server.reset(); });
  other.start();
  other.front.socket.reset();
  other.loop.run_ready();
  BOOST_TEST(!other.server);
}

BOOST_AUTO_TEST_CASE(the_server_may_be_destroyed_at_any_time) {
  for (const bool ended : {false, true}) {
    Served served;
    served.start();
    served.device.slow = true;
    if (ended) served.front.say(message(Request::GetFeatures, {}, false, 0));
    served.loop.run_ready();
    served.server.reset();
    served.device.finish_rest();
    served.loop.run_ready();
    BOOST_TEST(!served.closed.has_value());
  }
}

BOOST_AUTO_TEST_SUITE_END()
