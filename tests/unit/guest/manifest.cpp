#include <actors/guest/manifest.hpp>
#include <boost/test/unit_test.hpp>

using namespace capsa;
using namespace capsa::guest;

namespace {

Manifest sample() {
  Manifest manifest;
  manifest.tuned = true;
  manifest.kernel_version = "6.1.192-capsa";
  manifest.command_line = "quiet panic=-1";
  manifest.acpi = true;
  manifest.agent_key = "0123456789abcdef";
  manifest.created = 1'700'000'000;
  return manifest;
}

bool refused(const std::string& text) {
  const auto parsed = parse_manifest(text);
  return !parsed.ok() && parsed.error().code() == ErrorCode::InvalidConfig;
}

std::string replaced(const std::string& what, const std::string& with) {
  auto text = format_manifest(sample());
  const auto at = text.find(what);
  BOOST_REQUIRE(at != std::string::npos);
  return text.replace(at, what.size(), with);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(guest_manifest)

BOOST_AUTO_TEST_CASE(what_was_written_is_read_back) {
  const auto parsed = parse_manifest(format_manifest(sample()));
  BOOST_REQUIRE(parsed.ok());
  BOOST_TEST((*parsed == sample()));
  BOOST_TEST((*parse_manifest(format_manifest({})) == Manifest{}));
}

BOOST_AUTO_TEST_CASE(a_manifest_cut_short_anywhere_is_refused) {
  const auto text = format_manifest(sample());
  for (std::size_t size = 0; size + 1 < text.size(); ++size)
    BOOST_TEST_REQUIRE(refused(text.substr(0, size)), "accepted with " << size << " bytes");
}

BOOST_AUTO_TEST_CASE(another_format_is_refused) {
  BOOST_TEST(refused(replaced("\"format\": 1", "\"format\": 2")));
  BOOST_TEST(refused("[]"));
  BOOST_TEST(refused("{}"));
}

BOOST_AUTO_TEST_CASE(a_field_of_another_type_is_refused) {
  BOOST_TEST(refused(replaced("true", "1")));
  BOOST_TEST(refused(replaced("\"tuned\"", "\"other\"")));
  BOOST_TEST(refused(replaced("1700000000", "\"yesterday\"")));
  BOOST_TEST(refused(replaced("\"quiet panic=-1\"", "null")));
}

BOOST_AUTO_TEST_SUITE_END()
