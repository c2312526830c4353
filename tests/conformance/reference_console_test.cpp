#include <poll.h>
#include <unistd.h>
#include <boost/test/unit_test.hpp>
#include <tests/conformance/reference_rows.hpp>
#include <tests/conformance/reference_scene.hpp>

using namespace capsa;
using namespace std::chrono_literals;
using test::code_of;

namespace {

Console& console() {
  return test::builder_scene().console;
}

constexpr auto kPatience = 60s;

void to_the_prompt() {
  console().wait_for_timeout("# ", kPatience).get();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(reference_of_console)

BOOST_AUTO_TEST_CASE(console_01_wait_for) {
  console().write_line("echo al''pha be''ta").get();
  BOOST_TEST(console().wait_for("alpha").get().ends_with("alpha"));
  BOOST_TEST(console().wait_for("beta").get() == " beta");
  to_the_prompt();
}

BOOST_AUTO_TEST_CASE(console_02_wait_for_timeout) {
  BOOST_TEST(code_of(console().wait_for_timeout("never", 100ms)) == ErrorCode::Timeout);
  console().write_line("echo ti''mely").get();
  BOOST_TEST(console().wait_for_timeout("timely", kPatience).get().ends_with("timely"));
  to_the_prompt();
}

BOOST_AUTO_TEST_CASE(console_03_wait_for_any) {
  console().write_line("echo thi''s; echo tha''t").get();
  BOOST_TEST(console().wait_for_any({"that", "this"}).get().which == 1U);
  console().wait_for("that").get();
  to_the_prompt();
}

BOOST_AUTO_TEST_CASE(console_04_read_available) {
  console().write_line("echo rea''dy").get();
  console().wait_for("ready").get();
  std::string rest;
  while (rest.find("# ") == std::string::npos)
    rest += console().read_available().get();
  BOOST_TEST(rest.find("ready") == std::string::npos);
}

BOOST_AUTO_TEST_CASE(console_05_write) {
  console().write(std::string("echo wri''tten\n", 15)).get();
  console().wait_for_timeout("written", kPatience).get();
  to_the_prompt();
}

BOOST_AUTO_TEST_CASE(console_06_write_str) {
  console().write_str("echo no''line").get();
  BOOST_TEST(code_of(console().wait_for_timeout("noline", 300ms)) == ErrorCode::Timeout);
  console().write_str("\n").get();
  console().wait_for_timeout("noline", kPatience).get();
  to_the_prompt();
}

BOOST_AUTO_TEST_CASE(console_07_write_line) {
  console().write_line("echo a''line").get();
  console().wait_for_timeout("aline", kPatience).get();
  to_the_prompt();
}

BOOST_AUTO_TEST_CASE(console_08_exec) {
  const auto out = console().exec("echo one; echo two >&2; exit 7", kPatience).get();
  BOOST_TEST(out.output == "one\ntwo\n");
  BOOST_TEST(out.status == 7);
}

BOOST_AUTO_TEST_CASE(console_09_run_command) {
  BOOST_TEST(console().run_command("echo $((6*7))", "# ").get() == "42\n");
}

BOOST_AUTO_TEST_CASE(console_10_send_interrupt) {
  // A process of its own: between two commands a shell only notes an interrupt, and some forget it.
  console().write_line("sh -c \"echo beg''un; exec sleep 600\"").get();
  console().wait_for_timeout("begun", kPatience).get();
  console().send_interrupt().get();
  to_the_prompt();
  BOOST_TEST(console().exec("echo $((6*7))", kPatience).get().output == "42\n");
}

BOOST_AUTO_TEST_CASE(console_11_send_eof) {
  console().write_line("echo be''gun; cat; echo en''ded-$?").get();
  console().wait_for_timeout("begun\r\n", kPatience).get();
  console().send_eof().get();
  console().wait_for_timeout("ended-0", kPatience).get();
  to_the_prompt();
}

BOOST_AUTO_TEST_CASE(console_12_login_without_password) {
  console().login("root").get();
  BOOST_TEST(console().exec("echo $((6*7))", kPatience).get().output == "42\n");
}

BOOST_AUTO_TEST_CASE(console_13_login_with_password) {
  console()
      .exec(
          "cat > /tmp/login <<'E'\nwhile :; do printf 'box login: '; read u; printf 'Password: '; "
          "stty -echo; read p; stty echo; echo; [ \"$u:$p\" = user:secret ] && exec sh; "
          "echo 'Login incorrect'; done\nE\n",
          kPatience)
      .get();
  console().write_line("sh /tmp/login").get();
  console().wait_for_timeout("login: ", kPatience).get();
  BOOST_TEST(code_of(console().login("user", "wrong")) == ErrorCode::LoginFailed);
  console().login("user", "secret").get();
  BOOST_TEST(console().exec("echo $((6*7))", kPatience).get().output == "42\n");
  console().write_line("exit").get();
  to_the_prompt();
}

BOOST_AUTO_TEST_CASE(console_14_split) {
  auto [reader, writer] = console().split();
  writer.write("echo spl''it\n").get();
  std::string seen;
  while (seen.find("split\r\n") == std::string::npos)
    seen += reader.read().get();
  const std::string line = "echo by''-fd\n";
  BOOST_TEST(::write(writer.fd().value(), line.data(), line.size()) ==
             static_cast<ssize_t>(line.size()));
  std::string by_fd;
  while (by_fd.find("by-fd\r\n") == std::string::npos) {
    pollfd entry{reader.fd().value(), POLLIN, 0};
    BOOST_TEST_REQUIRE(::poll(&entry, 1, 60'000) == 1);
    char bytes[256];
    const auto n = ::read(entry.fd, bytes, sizeof bytes);
    BOOST_TEST_REQUIRE(n > 0);
    by_fd.append(bytes, static_cast<std::size_t>(n));
  }
}

BOOST_AUTO_TEST_CASE(console_15_resize) {
  const auto resized = console().resize({.rows = 50, .cols = 100}).result();
  if (!test::on_kvm()) {
    BOOST_TEST_REQUIRE(!resized.ok());
    BOOST_TEST(resized.error().code() == ErrorCode::UnsupportedFeature);
    return test::row_refused(resized.error().what());
  }
  BOOST_TEST_REQUIRE(resized.ok());
  console().write_line(
      "while [ \"$(stty size)\" != '50 100' ]; do sleep 0.1; done; echo re''sized");
  console().wait_for_timeout("resized", kPatience).get();
}

BOOST_AUTO_TEST_SUITE_END()
