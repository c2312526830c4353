#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <net/capture/fd_sink.hpp>
#include <tests/unit/net/frames.hpp>

namespace capsa::net::test {

namespace {

struct Pipe {
  Pipe() {
    ::signal(SIGPIPE, SIG_IGN);
    int ends[2] = {-1, -1};
    BOOST_REQUIRE(::pipe(ends) == 0);
    out = UniqueFd(ends[0]);
    in = UniqueFd(ends[1]);
    ::fcntl(out.get(), F_SETFL, O_NONBLOCK);
  }
  Bytes read() {
    Bytes all(1 << 20);
    std::size_t size = 0;
    for (ssize_t count; (count = ::read(out.get(), all.data() + size, all.size() - size)) > 0;)
      size += static_cast<std::size_t>(count);
    all.resize(size);
    return all;
  }
  UniqueFd out, in;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(net_fd_sink)

BOOST_AUTO_TEST_CASE(what_is_written_waits_until_it_is_flushed_or_much) {
  Pipe pipe;
  FdSink sink(std::move(pipe.in), 100);
  BOOST_TEST(sink.write(pattern(60)));
  BOOST_TEST(sink.wants_write());
  BOOST_TEST(pipe.read().empty());
  BOOST_TEST(sink.write(pattern(60, 1)));
  BOOST_TEST((pipe.read() == pattern(60)));
  BOOST_TEST(sink.flush());
  BOOST_TEST(!sink.wants_write());
  BOOST_TEST((pipe.read() == pattern(60, 1)));
  BOOST_TEST(!sink.write(pattern(101)));
}

BOOST_AUTO_TEST_CASE(a_reader_that_is_slow_costs_the_buffer_and_whole_blocks) {
  Pipe pipe;
  FdSink sink(std::move(pipe.in), 1000);
  std::size_t taken = 0;
  while (sink.write(pattern(300, static_cast<unsigned>(taken))))
    BOOST_REQUIRE(++taken < 100'000U);
  BOOST_TEST(!sink.flush());
  Bytes all = pipe.read();
  sink.on_writable();
  BOOST_TEST(sink.write(pattern(300, static_cast<unsigned>(taken++))));
  sink.on_writable();
  BOOST_TEST(!sink.wants_write());
  const Bytes rest = pipe.read();
  all.insert(all.end(), rest.begin(), rest.end());
  Bytes expected;
  for (std::size_t at = 0; at < taken; ++at) {
    const Bytes block = pattern(300, static_cast<unsigned>(at));
    expected.insert(expected.end(), block.begin(), block.end());
  }
  BOOST_TEST((all == expected));
}

BOOST_AUTO_TEST_CASE(after_an_error_nothing_is_taken) {
  Pipe pipe;
  FdSink sink(std::move(pipe.in), 1000);
  pipe.out.reset();
  BOOST_TEST(sink.write(pattern(300)));
  BOOST_TEST(!sink.flush());
  BOOST_REQUIRE(sink.failure().has_value());
  BOOST_TEST(!sink.write(pattern(1)));
  BOOST_TEST(!sink.wants_write());
  FdSink full(UniqueFd(::open("/dev/full", O_WRONLY | O_CLOEXEC)));
  BOOST_TEST(full.write(pattern(300)));
  BOOST_TEST(!full.flush());
  BOOST_REQUIRE(full.failure().has_value());
  BOOST_TEST((full.failure()->code() == ErrorCode::ResourceExhausted));
}

BOOST_AUTO_TEST_CASE(what_waits_at_the_end_is_written) {
  Pipe pipe;
  { BOOST_TEST(FdSink(std::move(pipe.in)).write(pattern(60))); }
  BOOST_TEST((pipe.read() == pattern(60)));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::test
