#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <string>
#include <thread>
#include <tools/cli/output.hpp>

using capsa::UniqueFd;
using capsa::cli::Cancel;
using capsa::cli::Output;

namespace {

struct Pipe {
  explicit Pipe(int flags = 0) {
    ::signal(SIGPIPE, SIG_IGN);
    int ends[2];
    BOOST_REQUIRE(::pipe2(ends, O_CLOEXEC | flags) == 0);
    reader.reset(ends[0]);
    writer.reset(ends[1]);
  }
  std::string read_all() {
    std::string out;
    char buffer[4096];
    for (;;) {
      const auto n = ::read(reader.get(), buffer, sizeof buffer);
      if (n < 0 && errno == EAGAIN) {
        std::this_thread::yield();
        continue;
      }
      if (n <= 0) return out;
      out.append(buffer, static_cast<std::size_t>(n));
    }
  }
  UniqueFd reader, writer;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(output)

BOOST_AUTO_TEST_CASE(more_than_a_pipe_holds_arrives_whole) {
  for (const int flags : {0, O_NONBLOCK}) {
    Pipe pipe(flags);
    const Cancel cancel;
    int failure = 0;
    const std::string text(1'000'000, 'x');
    std::thread writer([&] {
      Output out(pipe.writer.get(), cancel, [&](int why) { failure = why; });
      out.write(text);
      pipe.writer.reset();
    });
    BOOST_TEST((pipe.read_all() == text));
    writer.join();
    BOOST_TEST(failure == 0);
  }
}

BOOST_AUTO_TEST_CASE(a_reader_that_is_gone_is_told_once) {
  Pipe pipe;
  pipe.reader.reset();
  const Cancel cancel;
  int failures = 0;
  int last = 0;
  Output out(pipe.writer.get(), cancel, [&](int why) {
    ++failures;
    last = why;
  });
  out.write("a");
  out.write("b");
  BOOST_TEST(failures == 1);
  BOOST_TEST(last == EPIPE);
}

BOOST_AUTO_TEST_CASE(a_full_device_is_told) {
  const UniqueFd full(::open("/dev/full", O_WRONLY | O_CLOEXEC));
  BOOST_REQUIRE(static_cast<bool>(full));
  const Cancel cancel;
  int last = 0;
  Output(full.get(), cancel, [&](int why) { last = why; }).write("a");
  BOOST_TEST(last == ENOSPC);
}

BOOST_AUTO_TEST_CASE(a_writer_that_nobody_reads_ends_with_a_cancel) {
  Pipe pipe;
  const Cancel cancel;
  int failures = 0;
  std::thread writer([&] {
    Output out(pipe.writer.get(), cancel, [&](int) { ++failures; });
    out.write(std::string(1'000'000, 'x'));
  });
  cancel.cancel();
  writer.join();
  BOOST_TEST(failures == 0);
}

BOOST_AUTO_TEST_SUITE_END()
