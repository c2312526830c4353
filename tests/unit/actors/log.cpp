#include <actors/runtime/log.hpp>
#include <boost/test/unit_test.hpp>
#include <vector>

using namespace capsa;

BOOST_AUTO_TEST_SUITE(log_lines)

BOOST_AUTO_TEST_CASE(have_their_parts_apart) {
  struct Line {
    LogLevel level;
    std::string component, event, vm, message;
  };
  std::vector<Line> lines;
  const Log log(LogLevel::Info, [&](const LogRecord& one) {
    lines.push_back({one.level, std::string(one.component), std::string(one.event),
                     std::string(one.vm), one.message});
  });
  log.write(LogLevel::Debug, "vm", "vm.status", "too much", "web");
  log.write(LogLevel::Info, "vm", "vm.status", "running", "web");
  log.write(LogLevel::Error, "runtime", "runtime.leftover", "of no VM");
  BOOST_TEST_REQUIRE(lines.size() == 2U);
  BOOST_CHECK(lines[0].level == LogLevel::Info);
  BOOST_TEST(lines[0].component == "vm");
  BOOST_TEST(lines[0].event == "vm.status");
  BOOST_TEST(lines[0].vm == "web");
  BOOST_TEST(lines[0].message == "running");
  BOOST_TEST(lines[1].vm.empty());
}

BOOST_AUTO_TEST_SUITE_END()
