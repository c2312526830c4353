#include <boost/test/unit_test.hpp>
#include <capsa/kernel_command_line.hpp>
#include <sstream>
#include <string>

using capsa::ErrorCode;
using capsa::KernelCommandLine;

namespace {

std::string refusal(const KernelCommandLine& line, std::string_view defaults = {},
                    std::string_view transport = {}) {
  const auto rendered = line.render(defaults, transport);
  BOOST_REQUIRE(!rendered);
  BOOST_TEST((rendered.error().code() == ErrorCode::InvalidConfig));
  return rendered.error().message();
}

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(kernel_command_line)

BOOST_AUTO_TEST_CASE(an_empty_line_renders_to_nothing) {
  BOOST_TEST(KernelCommandLine().render({}).value() == "");
}

BOOST_AUTO_TEST_CASE(defaults_come_first_then_the_users_arguments_then_the_transports) {
  KernelCommandLine line;
  line.set("init", "/bin/sh");
  line.add_flag("quiet");
  BOOST_TEST(line.render("console=hvc0 panic=-1", "virtio_mmio.device=4K@1:2").value() ==
             "console=hvc0 panic=-1 init=/bin/sh quiet virtio_mmio.device=4K@1:2");
}

BOOST_AUTO_TEST_CASE(the_last_value_of_a_key_wins_in_the_place_of_the_first) {
  KernelCommandLine line;
  line.set("root", "/dev/vda");
  line.set("init", "/a");
  line.set("root", "/dev/vdb");
  BOOST_TEST(line.render({}).value() == "root=/dev/vdb init=/a");
}

BOOST_AUTO_TEST_CASE(the_users_value_wins_over_a_default) {
  KernelCommandLine line;
  line.set("panic", "5");
  BOOST_TEST(line.render("panic=-1 quiet").value() == "panic=5 quiet");
}

BOOST_AUTO_TEST_CASE(the_users_value_wins_over_every_default_of_that_key) {
  KernelCommandLine line;
  line.set("console", "ttyS1");
  BOOST_TEST(line.render("console=ttyS0 quiet console=hvc0").value() == "console=ttyS1 quiet");
}

BOOST_AUTO_TEST_CASE(a_default_that_is_given_twice_stays_so) {
  BOOST_TEST(KernelCommandLine().render("console=ttyS0 console=hvc0").value() ==
             "console=ttyS0 console=hvc0");
}

BOOST_AUTO_TEST_CASE(a_flag_and_a_value_of_one_key_replace_each_other) {
  KernelCommandLine line;
  line.add_flag("debug");
  line.set("debug", "all");
  BOOST_TEST(line.render({}).value() == "debug=all");
  line.add_flag("debug");
  BOOST_TEST(line.render({}).value() == "debug");
}

BOOST_AUTO_TEST_CASE(dash_and_underscore_in_a_key_are_the_same) {
  KernelCommandLine line;
  line.set("log-buf-len", "2M");
  BOOST_TEST(line.render("log_buf_len=1M").value() == "log-buf-len=2M");
}

BOOST_AUTO_TEST_CASE(a_flag_given_twice_is_one) {
  KernelCommandLine line;
  line.add_flag("quiet");
  line.add_flag("quiet");
  BOOST_TEST(line.render({}).value() == "quiet");
}

BOOST_AUTO_TEST_CASE(a_flag_with_an_equals_sign_is_a_key_and_a_value) {
  KernelCommandLine line;
  line.add_flag("console=hvc0");
  KernelCommandLine same;
  same.set("console", "hvc0");
  BOOST_TEST((line == same));
}

BOOST_AUTO_TEST_CASE(a_value_may_hold_an_equals_sign_or_be_empty) {
  KernelCommandLine line;
  line.set("dm", "a=b");
  line.set("empty", "");
  BOOST_TEST(line.render({}).value() == "dm=a=b empty=");
}

BOOST_AUTO_TEST_CASE(a_value_with_blanks_is_quoted) {
  KernelCommandLine line;
  line.set("dyndbg", "file a.c +p");
  BOOST_TEST(line.render({}).value() == "dyndbg=\"file a.c +p\"");
}

BOOST_AUTO_TEST_CASE(a_value_with_a_byte_that_the_kernel_takes_for_a_blank_is_quoted) {
  KernelCommandLine line;
  line.set("who", "voil\xc3\xa0");
  BOOST_TEST(line.render({}).value() == "who=\"voil\xc3\xa0\"");
}

BOOST_AUTO_TEST_CASE(blanks_in_a_quoted_default_divide_nothing) {
  KernelCommandLine line;
  line.set("b", "2");
  BOOST_TEST(line.render("a=\"x b=1 y\"  b=1").value() == "a=\"x b=1 y\" b=2");
}

BOOST_AUTO_TEST_CASE(what_the_kernel_cannot_be_told_is_refused) {
  const auto with_value = [](std::string value) {
    KernelCommandLine line;
    line.set("key", std::move(value));
    return line;
  };
  BOOST_TEST(contains(refusal(with_value("a\"b")), "\"key\""));
  BOOST_TEST(contains(refusal(with_value("a\nb")), "a\\nb"));
  BOOST_TEST(contains(refusal(with_value(std::string("a\0b", 3))), "a\\x00b"));
}

BOOST_AUTO_TEST_CASE(a_key_with_a_blank_a_quote_or_nothing_in_it_is_refused) {
  for (const char* key : {"", "a b", "a\"b", "a\tb", "a\n"}) {
    KernelCommandLine line;
    line.set(key, "value");
    refusal(line);
    KernelCommandLine flag;
    flag.add_flag(key);
    refusal(flag);
  }
  KernelCommandLine equals;
  equals.set("a=b", "c");
  refusal(equals);
}

BOOST_AUTO_TEST_CASE(an_override_replaces_all_but_what_the_transport_needs) {
  KernelCommandLine line;
  line.set("init", "/bin/sh");
  line.override_with("console=hvc0  root=/dev/vda");
  BOOST_TEST(line.is_override());
  BOOST_TEST(line.render("quiet panic=-1", "virtio_mmio.device=4K@1:2").value() ==
             "console=hvc0 root=/dev/vda virtio_mmio.device=4K@1:2");
}

BOOST_AUTO_TEST_CASE(an_override_with_an_open_quote_or_a_newline_is_refused) {
  KernelCommandLine line;
  line.override_with("a=\"b");
  BOOST_TEST(contains(refusal(line, {}, "transport=1"), "not closed"));
  line.override_with("a\nb");
  BOOST_TEST(contains(refusal(line), "control character"));
}

BOOST_AUTO_TEST_CASE(what_the_transport_needs_stands_before_the_arguments_of_init) {
  KernelCommandLine line;
  line.add_flag("--");
  line.add_flag("-x");
  line.set("a", "1");
  line.set("a", "2");
  BOOST_TEST(line.render("a=0", "t=1").value() == "a=0 t=1 -- -x a=1 a=2");
  line.override_with("q -- single");
  BOOST_TEST(line.render("a=0", "t=1").value() == "q t=1 -- single");
}

BOOST_AUTO_TEST_CASE(a_line_is_read_as_the_kernel_reads_it) {
  KernelCommandLine expected;
  expected.set("console", "hvc0");
  expected.add_flag("quiet");
  expected.set("dyndbg", "file a.c +p");
  expected.set("init", "/bin/my sh");
  expected.set("empty", "");
  expected.set("dm", "a=b");
  const auto line = KernelCommandLine::parse(
      "  console=hvc0 quiet  dyndbg=\"file a.c +p\" \"init=/bin/my sh\" empty= dm=a=b\n");
  BOOST_REQUIRE(line.ok());
  BOOST_TEST((*line == expected));
  BOOST_TEST((KernelCommandLine::parse("").value() == KernelCommandLine()));
}

BOOST_AUTO_TEST_CASE(of_a_key_that_a_line_repeats_the_last_value_counts_but_for_inits) {
  BOOST_TEST(
      to_string(KernelCommandLine::parse("a=1 b=2 a=3 log-x=1 log_x=2 -- -v a=4 a=4").value()) ==
      "a=3 b=2 log_x=2 -- -v a=4 a=4");
}

BOOST_AUTO_TEST_CASE(what_is_printed_reads_back_as_the_same) {
  KernelCommandLine line;
  line.set("root", "/dev/vda");
  line.set("who", "voil\xc3\xa0");
  line.add_flag("rw");
  line.set("x", "a b");
  line.add_flag("--");
  line.add_flag("single");
  const auto again = KernelCommandLine::parse(to_string(line));
  BOOST_REQUIRE(again.ok());
  BOOST_TEST((*again == line));
  std::ostringstream out;
  out << line;
  BOOST_TEST(out.str() == line.render({}).value());
  BOOST_TEST(out.str() == to_string(line));
}

BOOST_AUTO_TEST_CASE(what_cannot_be_told_is_printed_escaped_and_not_parsed) {
  KernelCommandLine line;
  line.set("a", "b\nc");
  line.add_flag("quiet");
  BOOST_TEST(to_string(line) == "\"a=b\\nc\" quiet");
  line.override_with("x  y");
  BOOST_TEST(to_string(line) == "x  y");
  line.override_with("x\ny");
  BOOST_TEST(to_string(line) == "\"x\\ny\"");
  for (const char* bad : {"a=\"b", "=b", "a=\"b c\"d", "a=b\"c d\"", "\"a b=c\"", "\"\"", "a\nb"}) {
    const auto parsed = KernelCommandLine::parse(bad);
    BOOST_TEST_REQUIRE(!parsed.ok(), bad);
    BOOST_TEST((parsed.error().code() == ErrorCode::InvalidConfig), bad);
  }
}

BOOST_AUTO_TEST_CASE(a_line_of_any_length_is_read_and_printed) {
  const std::string text = "k=" + std::string(4000, 'v');
  BOOST_TEST(to_string(KernelCommandLine::parse(text).value()) == text);
}

BOOST_AUTO_TEST_CASE(the_longest_line_is_2047_bytes) {
  KernelCommandLine line;
  line.set("k", std::string(KernelCommandLine::kMaxLength - 2, 'v'));
  BOOST_TEST(line.render({}).value().size() == KernelCommandLine::kMaxLength);
  BOOST_TEST(contains(refusal(line, {}, "t"), "2049 bytes"));
  BOOST_TEST(contains(refusal(line, "q"), "at most 2047"));
}

BOOST_AUTO_TEST_SUITE_END()
