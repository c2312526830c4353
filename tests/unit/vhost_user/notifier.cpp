#include <backends/vhost_user/notifier.hpp>
#include <boost/test/unit_test.hpp>
#include <future>
#include <limits>

#include "front_end.hpp"

using namespace capsa;

namespace {

/// Whether something ends by itself. Where it does not, `release` makes it.
bool ends(const std::function<void()>& work, const std::function<void()>& release) {
  auto running = std::async(std::launch::async, work);
  const bool ended = running.wait_for(std::chrono::seconds(2)) == std::future_status::ready;
  if (!ended) release();
  return ended;
}

void make_blocking(const UniqueFd& fd) {
  BOOST_REQUIRE_EQUAL(::fcntl(fd.get(), F_SETFL, ::fcntl(fd.get(), F_GETFL) & ~O_NONBLOCK), 0);
}

/// Takes what was added; 0 where nothing was and the descriptor does not block.
std::uint64_t take(const UniqueFd& fd) {
  std::uint64_t count = 0;
  return ::read(fd.get(), &count, sizeof count) == ssize_t{sizeof count} ? count : 0;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(notifier)

BOOST_AUTO_TEST_CASE(each_notification_adds_one) {
  const auto fd = test::make_eventfd();
  vhost_user::notify(fd.get());
  vhost_user::notify(fd.get());
  BOOST_TEST(take(fd) == 2U);
}

BOOST_AUTO_TEST_CASE(an_eventfd_that_blocks_is_made_not_to) {
  const UniqueFd fd(::eventfd(0, EFD_CLOEXEC));
  BOOST_TEST(vhost_user::adopt_notifier(fd.get()).ok());
  BOOST_TEST(take(fd) == 0U);
}

// The peer has the same open file description, and so can undo what adopting did.
BOOST_AUTO_TEST_CASE(a_full_call_that_was_made_to_block_does_not_block) {
  const UniqueFd fd = test::make_eventfd();
  BOOST_TEST(vhost_user::adopt_notifier(fd.get()).ok());
  const std::uint64_t all = std::numeric_limits<std::uint64_t>::max() - 1;
  BOOST_REQUIRE_EQUAL(::write(fd.get(), &all, sizeof all), ssize_t{sizeof all});
  make_blocking(fd);
  BOOST_TEST(ends([&] { vhost_user::notify(fd.get()); }, [&] { static_cast<void>(take(fd)); }));
  BOOST_TEST(take(fd) == all);
}

BOOST_AUTO_TEST_CASE(anything_but_an_eventfd_is_refused) {
  int ends[2];
  BOOST_REQUIRE_EQUAL(::pipe(ends), 0);
  const UniqueFd read_end(ends[0]), write_end(ends[1]);
  const UniqueFd file(::open("/dev/null", O_RDWR | O_CLOEXEC));
  BOOST_TEST(!vhost_user::adopt_notifier(ends[1]).ok());
  BOOST_TEST(!vhost_user::adopt_notifier(file.get()).ok());
  BOOST_TEST(!vhost_user::adopt_notifier(-1).ok());
}

BOOST_AUTO_TEST_SUITE_END()
