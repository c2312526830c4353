#include <fcntl.h>
#include <unistd.h>

#include <actors/network/flow_file.hpp>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <sstream>
#include <tests/support/scratch_dir.hpp>
#include <tests/support/test_loop.hpp>

using namespace capsa;
using network::flow_line;
using network::FlowFile;

namespace {

net::FlowBegin flow() {
  net::FlowBegin out;
  out.allowed = true;
  out.ip_protocol = 6;
  out.from = IpAddress::v4(10, 0, 2, 15);
  out.from_port = 40000;
  out.to = IpAddress::v4(198, 51, 100, 1);
  out.to_port = 443;
  out.name = "api.example.com";
  out.reason = "rule 1: allow domain api.example.com";
  return out;
}

const std::chrono::system_clock::time_point kWhen{std::chrono::milliseconds(1795910399123)};

}  // namespace

BOOST_AUTO_TEST_SUITE(flow_file)

BOOST_AUTO_TEST_CASE(a_line_has_seven_columns) {
  BOOST_TEST(flow_line(flow(), kWhen) ==
             "2026-11-28T23:59:59.123Z\tallow\ttcp\t10.0.2.15:40000\t198.51.100.1:443\t"
             "api.example.com\trule 1: allow domain api.example.com\n");
  auto ping = flow();
  ping.allowed = false;
  ping.ip_protocol = 58;
  ping.from_port = 36;  // its identifier
  ping.to_port = 0;
  ping.to = IpAddress::v6({0x2001, 0xdb8});
  ping.name.clear();
  ping.reason = "the default: deny";
  BOOST_TEST(flow_line(ping, kWhen) ==
             "2026-11-28T23:59:59.123Z\tdeny\ticmp\t10.0.2.15\t2001:db8::\t-\t"
             "the default: deny\n");
}

BOOST_AUTO_TEST_CASE(no_name_makes_a_second_line_or_column) {
  auto evil = flow();
  evil.name = "a\nb\tc\x1b[2J";
  const auto line = flow_line(evil, kWhen);
  BOOST_TEST(line.find("a?b?c?[2J") != std::string::npos);
  BOOST_TEST(std::count(line.begin(), line.end(), '\n') == 1);
  BOOST_TEST(std::count(line.begin(), line.end(), '\t') == 6);
}

BOOST_AUTO_TEST_CASE(lines_are_in_the_file_at_once) {
  const tests::ScratchDir scratch;
  const auto path = scratch.path() / "flows";
  tests::TestLoop loop;
  FlowFile file(loop, UniqueFd(::open(path.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600)));
  file.write(flow());
  file.write(flow());
  file.flush();
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  const auto all = text.str();
  BOOST_TEST(std::count(all.begin(), all.end(), '\n') == 2);
  BOOST_TEST(all.find("\tallow\ttcp\t") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(what_a_slow_reader_misses_is_counted) {
  int ends[2];
  BOOST_TEST_REQUIRE(::pipe2(ends, O_CLOEXEC | O_NONBLOCK) == 0);
  const UniqueFd reader(ends[0]);
  tests::TestLoop loop;
  FlowFile file(loop, UniqueFd(ends[1]));
  // More than a pipe and a buffer hold.
  constexpr int kLines = 4000;
  for (int i = 0; i < kLines; ++i) {
    file.write(flow());
    file.flush();
  }
  std::string all;
  const auto read_all = [&] {
    char buffer[65536];
    for (ssize_t count; (count = ::read(reader.get(), buffer, sizeof buffer)) > 0;)
      all.append(buffer, static_cast<std::size_t>(count));
  };
  for (std::size_t before = 1; before != all.size();) {
    before = all.size();
    read_all();
    loop.run_ready();
  }
  BOOST_TEST(all.find("\tlost\t") == std::string::npos);
  const auto came = std::count(all.begin(), all.end(), '\n');
  BOOST_TEST(came < kLines);
  all.clear();
  file.write(flow());
  file.flush();
  read_all();
  // One line that tells of it, and the flow's own.
  BOOST_TEST(all.find("\tlost\t" + std::to_string(kLines - came) + "\n") != std::string::npos, all);
  BOOST_TEST(std::count(all.begin(), all.end(), '\n') == 2);
}

BOOST_AUTO_TEST_SUITE_END()
