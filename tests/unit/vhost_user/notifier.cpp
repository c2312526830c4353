#include <backends/vhost_user/notifier.hpp>
#include <boost/test/unit_test.hpp>

#include "front_end.hpp"

using namespace capsa;

BOOST_AUTO_TEST_SUITE(notifier)

BOOST_AUTO_TEST_CASE(what_was_notified_is_drained_once) {
  const auto fd = test::make_eventfd();
  BOOST_TEST(!vhost_user::drain(fd.get()));
  vhost_user::notify(fd.get());
  vhost_user::notify(fd.get());
  BOOST_TEST(vhost_user::drain(fd.get()));
  BOOST_TEST(!vhost_user::drain(fd.get()));
}

BOOST_AUTO_TEST_CASE(an_eventfd_that_blocks_is_made_not_to) {
  const UniqueFd fd(::eventfd(0, EFD_CLOEXEC));
  BOOST_TEST(vhost_user::adopt_notifier(fd.get()).ok());
  BOOST_TEST(!vhost_user::drain(fd.get()));
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
