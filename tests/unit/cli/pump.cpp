#include <fcntl.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <future>
#include <tools/cli/pump.hpp>

using capsa::UniqueFd;
using capsa::cli::Cancel;
using capsa::cli::Pump;

BOOST_AUTO_TEST_SUITE(pump)

BOOST_AUTO_TEST_CASE(everything_comes_and_then_the_end) {
  int ends[2];
  BOOST_REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const UniqueFd reader(ends[0]);
  UniqueFd writer(ends[1]);
  const Cancel cancel;
  std::string seen;
  std::promise<void> over;
  Pump pump(
      reader.get(), cancel,
      [&](std::string bytes) {
        seen += bytes;
        return true;
      },
      [&] { over.set_value(); });
  BOOST_TEST(::write(writer.get(), "hello", 5) == 5);
  writer.reset();
  over.get_future().wait();
  BOOST_TEST(seen == "hello");
}

BOOST_AUTO_TEST_CASE(an_empty_file_ends_at_once) {
  const UniqueFd null(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  const Cancel cancel;
  std::promise<void> over;
  Pump pump(
      null.get(), cancel, [](std::string) { return true; }, [&] { over.set_value(); });
  over.get_future().wait();
}

BOOST_AUTO_TEST_CASE(a_directory_or_a_closed_descriptor_is_an_end) {
  const UniqueFd root(::open("/", O_RDONLY | O_CLOEXEC));
  for (const int fd : {root.get(), 987654}) {
    const Cancel cancel;
    std::promise<void> over;
    Pump pump(
        fd, cancel, [](std::string) { return true; }, [&] { over.set_value(); });
    over.get_future().wait();
  }
}

BOOST_AUTO_TEST_CASE(a_taker_that_has_enough_ends_it_without_an_end) {
  const UniqueFd zero(::open("/dev/zero", O_RDONLY | O_CLOEXEC));
  const Cancel cancel;
  int taken = 0;
  bool ended = false;
  {
    Pump pump(
        zero.get(), cancel, [&](std::string) { return ++taken < 3; }, [&] { ended = true; });
  }
  BOOST_TEST(taken == 3);
  BOOST_TEST(!ended);
}

BOOST_AUTO_TEST_CASE(a_pump_that_waits_ends_with_a_cancel) {
  int ends[2];
  BOOST_REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  const UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  const Cancel cancel;
  bool ended = false;
  {
    Pump pump(
        reader.get(), cancel, [](std::string) { return true; }, [&] { ended = true; });
    cancel.cancel();
  }
  BOOST_TEST(!ended);
}

BOOST_AUTO_TEST_SUITE_END()
