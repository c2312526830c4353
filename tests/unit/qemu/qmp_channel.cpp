// A QEMU that has been taken over talks without end, or does not listen.
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <backends/qemu/qmp_channel.hpp>
#include <boost/test/unit_test.hpp>
#include <optional>
#include <string>
#include <tests/support/test_loop.hpp>

using capsa::error;
using capsa::ErrorCode;
using capsa::result;
using capsa::UniqueFd;
using capsa::qemu::QmpChannel;
using capsa::qemu::QmpEvent;
using capsa::tests::TestLoop;

namespace {

struct Talk {
  TestLoop loop;
  UniqueFd qemu;  // its end
  std::optional<ErrorCode> closed;
  std::function<void()> on_event;
  int events = 0;
  std::optional<QmpChannel> channel;

  Talk() {
    std::array<int, 2> ends{};
    BOOST_TEST_REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
    qemu.reset(ends[1]);
    channel.emplace(
        loop, UniqueFd(ends[0]),
        [this](const QmpEvent&) {
          ++events;
          if (on_event) on_event();
        },
        [this](const error& why) { closed = why.code(); });
    say("{\"QMP\":{}}\n{\"return\":{},\"id\":0}\n");
  }

  void say(const std::string& bytes) {
    BOOST_TEST_REQUIRE(::write(qemu.get(), bytes.data(), bytes.size()) ==
                       static_cast<ssize_t>(bytes.size()));
  }
};

}  // namespace

BOOST_FIXTURE_TEST_SUITE(qmp_channel, Talk)

BOOST_AUTO_TEST_CASE(a_qemu_that_never_stops_talking_leaves_the_loop_to_others) {
  constexpr int kEvents = 1000;
  int seen_by_others = 0;
  // As fast as it is read: one part of each recv(2).
  on_event = [&] {
    if (events == 1) loop.post([&] { seen_by_others = events; });
    if (events < kEvents) say("{\"event\":\"RTC_CHANGE\"}\n");
  };
  say("{\"event\":\"RTC_CHANGE\"}\n");
  BOOST_TEST(loop.run_until([&] { return events == kEvents; }));
  BOOST_TEST(seen_by_others > 0);
  BOOST_TEST(seen_by_others <= 16);
  BOOST_TEST(!closed.has_value());
}

BOOST_AUTO_TEST_CASE(the_last_words_are_bounded_as_well) {
  loop.run_ready();
  on_event = [&] {
    if (events < 1000) say("{\"event\":\"RTC_CHANGE\"}\n");
  };
  say("{\"event\":\"RTC_CHANGE\"}\n");
  channel->drain();
  BOOST_TEST(events < 1000);
}

BOOST_AUTO_TEST_CASE(a_qemu_that_does_not_listen_is_given_up_on) {
  loop.run_ready();
  int refused = 0;
  int sent = 0;
  for (; sent < 100'000 && !closed; ++sent)
    channel->command("query-status", [&](const result<nlohmann::json>& reply) {
      if (!reply.ok()) ++refused;
    });
  BOOST_TEST((closed == ErrorCode::BackendFailed));
  BOOST_TEST(channel->closed());
  BOOST_TEST(refused == sent);
}

BOOST_AUTO_TEST_SUITE_END()
