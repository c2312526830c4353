#include <actors/console/core/exec_script.hpp>
#include <boost/test/unit_test.hpp>
#include <numeric>

using namespace capsa::console;
using capsa::ErrorCode;

namespace {

Nonce counting() {
  Nonce nonce;
  std::iota(nonce.begin(), nonce.end(), std::uint8_t{0x10});
  return nonce;
}

ExecScript make(std::string_view command) {
  auto script = ExecScript::make(command, counting());
  BOOST_REQUIRE(script.ok());
  return *script;
}

std::string all(const ExecScript& script) {
  std::string out = script.hello();
  for (const std::string& batch : script.batches())
    out += batch;
  return out;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(exec_script)

BOOST_AUTO_TEST_CASE(no_marker_stands_in_what_is_typed_even_without_its_punctuation) {
  const ExecScript script = make(std::string(5000, 'x'));
  std::string typed = all(script);
  std::string bare;
  for (const char c : typed)
    if (std::isalnum(static_cast<unsigned char>(c))) bare += c;
  std::vector<std::string> markers = {script.hello_marker(), script.begin_marker(),
                                      script.end_marker()};
  for (std::size_t i = 0; i < script.batches().size(); ++i)
    markers.push_back(script.ack_marker(i));
  for (const std::string& marker : markers) {
    BOOST_TEST(typed.find(marker) == std::string::npos);
    const std::string hex = marker.substr(marker.rfind('-') + 1);
    BOOST_TEST(hex.size() == 32U);
    BOOST_TEST(bare.find(hex) == std::string::npos);
  }
}

BOOST_AUTO_TEST_CASE(every_line_is_short_printable_ascii) {
  std::string command;
  for (int c = 1; c < 256; ++c)
    command += static_cast<char>(c);
  for (int i = 0; i < 5; ++i)
    command += command;
  const std::string typed = all(make(command));
  std::size_t line = 0;
  for (std::size_t i = 1; i < typed.size(); ++i) {  // [0] is the Ctrl-U
    if (typed[i] == '\n') {
      line = 0;
      continue;
    }
    BOOST_REQUIRE((typed[i] >= 0x20 && typed[i] < 0x7f && typed[i] != '!'));
    BOOST_REQUIRE_LT(++line, 500U);
  }
  BOOST_TEST(typed.back() == '\n');
}

BOOST_AUTO_TEST_CASE(no_batch_outgrows_half_of_a_terminals_buffer) {
  const ExecScript script = make(std::string(ExecScript::kMaxCommand, '\xff'));
  BOOST_TEST(script.batches().size() > 100U);
  for (const std::string& batch : script.batches())
    BOOST_REQUIRE_LE(batch.size(), 2500U);
}

BOOST_AUTO_TEST_CASE(a_short_command_is_one_batch) {
  BOOST_TEST(make("ls").batches().size() == 1U);
}

BOOST_AUTO_TEST_CASE(what_no_shell_can_run_is_refused) {
  BOOST_TEST((ExecScript::make(std::string("a\0b", 3), counting()).error().code() ==
              ErrorCode::InvalidConfig));
  BOOST_TEST(
      (ExecScript::make(std::string(ExecScript::kMaxCommand + 1, 'x'), counting()).error().code() ==
       ErrorCode::InvalidConfig));
}

BOOST_AUTO_TEST_CASE(two_nonces_differ) {
  BOOST_TEST((fresh_nonce() != fresh_nonce()));
}

BOOST_AUTO_TEST_SUITE_END()
