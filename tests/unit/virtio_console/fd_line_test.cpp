#include <fcntl.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <termios.h>

#include <backends/virtio/console/fd_line.hpp>
#include <boost/test/unit_test.hpp>
#include <tests/support/test_loop.hpp>
#include <tests/unit/virtio_console/bench.hpp>

namespace capsa::virtio::console::test {

namespace {

std::pair<UniqueFd, UniqueFd> socket_pair() {
  int ends[2] = {-1, -1};
  BOOST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) == 0);
  return {UniqueFd(ends[0]), UniqueFd(ends[1])};
}

/// A loop that counts how often it was called for the descriptor: what is ready and not handled
/// would keep it busy.
struct LineBench {
  explicit LineBench(std::pair<UniqueFd, UniqueFd> ends, bool booted = true)
      : peer(std::move(ends.second)),
        line(loop, std::move(ends.first)),
        device(std::make_shared<ConsoleDevice>(line)),
        driver(device->identity()) {
    line.attach(device);
    if (booted) boot();
  }
  void boot() {
    driver.activate(*device);
    device->process(0);
    device->process(1);
  }
  void write(std::string_view text) {
    driver.add(1, {to_bytes(text)}, {});
    if (driver.publish(1)) device->process(1);
  }
  void give(std::size_t count, std::size_t size) {
    for (std::size_t i = 0; i < count; ++i)
      driver.add(0, {}, {size});
    if (driver.publish(0)) device->process(0);
  }
  std::string read() {
    std::string text;
    while (const auto used = driver.pop_used(0))
      text += to_text(used->data);
    return text;
  }
  void say(std::string_view text) const {
    BOOST_REQUIRE(::write(peer.get(), text.data(), text.size()) ==
                  static_cast<ssize_t>(text.size()));
  }
  std::string hear() const {
    std::string text;
    char buffer[4096];
    for (;;) {
      const ssize_t count = ::read(peer.get(), buffer, sizeof buffer);
      if (count <= 0) return text;
      text.append(buffer, static_cast<std::size_t>(count));
    }
  }

  tests::TestLoop loop;
  UniqueFd peer;
  FdLine line;
  std::shared_ptr<ConsoleDevice> device;
  FakeDriver driver;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(virtio_console_fd_line)

BOOST_AUTO_TEST_CASE(bytes_go_both_ways) {
  LineBench bench(socket_pair());
  bench.write("hello ");
  bench.write("host");
  BOOST_TEST(bench.hear() == "hello host");
  bench.give(4, 64);
  bench.say("hello guest");
  bench.loop.run_ready();
  BOOST_TEST(bench.read() == "hello guest");
}

BOOST_AUTO_TEST_CASE(what_is_said_before_the_guest_is_there_comes_when_it_is) {
  LineBench bench(socket_pair(), false);
  bench.say(std::string(10'000, 'x'));
  bench.loop.run_ready();  // ends: nothing is read that cannot be handed on
  bench.boot();
  bench.give(1, 3);
  BOOST_TEST(bench.read() == "xxx");
  bench.give(100, 500);
  bench.loop.run_ready();
  BOOST_TEST((bench.read() == std::string(9'997, 'x')));
}

BOOST_AUTO_TEST_CASE(a_reader_that_is_slow_stops_the_guest_and_loses_nothing) {
  LineBench bench(socket_pair());
  std::string expected, got;
  std::size_t written = 0;
  for (int i = 0; bench.driver.free_descriptors(1) > 0; ++i) {
    const std::string text(20'000, static_cast<char>('a' + i % 26));
    bench.write(text);
    expected += text;
    ++written;
  }
  std::size_t back = 0;
  const auto reclaim = [&] {
    while (bench.driver.pop_used(1))
      ++back;
  };
  reclaim();
  BOOST_TEST(back < written);
  bench.loop.run_ready();  // ends: the socket is full
  reclaim();
  BOOST_TEST(back < written);
  BOOST_TEST(bench.loop.run_until([&] {
    got += bench.hear();
    return got.size() >= expected.size();
  }));
  reclaim();
  BOOST_TEST(back == written);
  BOOST_TEST((got == expected));
  bench.write("kicks again");
  BOOST_TEST(bench.hear() == "kicks again");
}

BOOST_AUTO_TEST_CASE(a_peer_that_is_gone_leaves_its_words_and_takes_none) {
  LineBench bench(socket_pair());
  bench.say(std::string(6'000, 'y'));
  bench.peer.reset();
  bench.loop.run_ready();  // ends: a hang-up is reported for ever to whoever watches it
  BOOST_TEST(bench.line.ended());
  bench.write("to nobody");
  BOOST_TEST(bench.driver.pop_used(1).has_value());
  bench.give(5, 1'000);
  // What had been read ahead; a buffer it does not fill is given back all the same.
  BOOST_TEST((bench.read() == std::string(4'096, 'y')));
  bench.give(5, 1'000);
  bench.loop.run_ready();
  BOOST_TEST((bench.read() == std::string(1'904, 'y')));
}

BOOST_AUTO_TEST_CASE(a_write_to_a_peer_that_is_gone_ends_the_line) {
  LineBench bench(socket_pair());
  bench.peer.reset();
  bench.write("found out by EPIPE");
  BOOST_TEST(bench.line.ended());
  bench.write("dropped");
  bench.loop.run_ready();
  bench.driver.pop_used(1);
  BOOST_TEST(bench.driver.pop_used(1).has_value());
}

BOOST_AUTO_TEST_CASE(output_that_waits_is_dropped_when_the_peer_goes) {
  LineBench bench(socket_pair());
  std::size_t written = 0;
  for (; bench.driver.free_descriptors(1) > 0; ++written)
    bench.write(std::string(20'000, 'z'));
  BOOST_TEST(bench.driver.used_pending(1) < written);
  bench.peer.reset();
  bench.loop.run_ready();
  BOOST_TEST(bench.driver.used_pending(1) == written);
}

BOOST_AUTO_TEST_CASE(a_peer_that_only_ends_its_writing_still_hears_the_guest) {
  LineBench bench(socket_pair());
  bench.give(4, 64);
  bench.say("last");
  ::shutdown(bench.peer.get(), SHUT_WR);
  bench.loop.run_ready();  // ends, although the descriptor stays readable
  BOOST_TEST(bench.read() == "last");
  BOOST_TEST(!bench.line.ended());
  bench.write("still here");
  BOOST_TEST(bench.hear() == "still here");
  bench.peer.reset();
  bench.loop.run_ready();
  BOOST_TEST(bench.line.ended());
}

BOOST_AUTO_TEST_CASE(a_peer_that_only_ends_its_reading_is_still_heard) {
  LineBench bench(socket_pair());
  bench.give(4, 64);
  ::shutdown(bench.peer.get(), SHUT_RD);
  bench.write("to nobody");
  BOOST_TEST(bench.line.ended());
  BOOST_TEST(bench.driver.used_pending(1) == 1U);
  bench.say("heard");
  bench.loop.run_ready();
  BOOST_TEST(bench.read() == "heard");
  bench.peer.reset();
  bench.loop.run_ready();
}

BOOST_AUTO_TEST_CASE(what_a_peer_wrote_is_heard_where_a_write_finds_out_that_it_is_gone) {
  LineBench bench(socket_pair());
  bench.say("last words");
  bench.peer.reset();
  bench.write("to nobody");
  BOOST_TEST(bench.line.ended());
  bench.give(4, 64);
  bench.loop.run_ready();
  BOOST_TEST(bench.read() == "last words");
}

BOOST_AUTO_TEST_CASE(a_terminal_does_as_well) {
  UniqueFd master(::posix_openpt(O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  BOOST_REQUIRE(!!master);
  BOOST_REQUIRE(::grantpt(master.get()) == 0);
  BOOST_REQUIRE(::unlockpt(master.get()) == 0);
  UniqueFd user(::open(::ptsname(master.get()), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC));
  BOOST_REQUIRE(!!user);
  termios settings = {};
  BOOST_REQUIRE(::tcgetattr(user.get(), &settings) == 0);
  ::cfmakeraw(&settings);
  BOOST_REQUIRE(::tcsetattr(user.get(), TCSANOW, &settings) == 0);
  LineBench bench({std::move(master), std::move(user)});
  bench.give(2, 64);
  bench.write("login: ");
  std::string heard;
  BOOST_TEST(bench.loop.run_until([&] { return (heard += bench.hear()) == "login: "; }));
  bench.say("root\n");
  std::string typed;
  BOOST_TEST(bench.loop.run_until([&] { return (typed += bench.read()) == "root\n"; }));
  bench.peer.reset();
  BOOST_TEST(bench.loop.run_until([&] { return bench.line.ended(); }));
  bench.loop.run_ready();
  bench.write("dropped");
  BOOST_TEST(bench.driver.used_pending(1) == 2U);
}

BOOST_AUTO_TEST_CASE(a_chain_of_many_pieces_and_a_greedy_one_come_whole) {
  LineBench bench(socket_pair());
  bench.driver.send_to(*bench.device, 1, std::vector<Bytes>(120, to_bytes("ab")));
  BOOST_TEST(bench.hear().size() == 240U);
  bench.driver.send_to(*bench.device, 1, {Bytes(4'000'000, std::byte{'x'})});
  std::size_t got = 0;
  BOOST_TEST(bench.loop.run_until([&] {
    got += bench.hear().size();
    return got >= 4'000'000;
  }));
  BOOST_TEST(got == 4'000'000U);
}

BOOST_AUTO_TEST_CASE(other_ports_are_not_the_lines) {
  tests::TestLoop loop;
  auto [near, far] = socket_pair();
  FdLine line(loop, std::move(near), 1);
  const auto bytes = to_bytes("x");
  const std::span<const std::byte> piece(bytes);
  BOOST_TEST(line.output(0, std::span(&piece, 1), 1) == 1U);
  char byte = 0;
  BOOST_TEST(::read(far.get(), &byte, 1) < 0);
  BOOST_TEST(line.output(1, std::span(&piece, 1), 1) == 1U);
  BOOST_TEST(::read(far.get(), &byte, 1) == 1);
}

BOOST_AUTO_TEST_CASE(a_line_survives_its_device) {
  LineBench bench(socket_pair());
  bench.device.reset();
  bench.say("anybody?");
  bench.loop.run_ready();
  bench.peer.reset();
  bench.loop.run_ready();
  BOOST_TEST(bench.line.ended());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::virtio::console::test
