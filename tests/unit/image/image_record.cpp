#include <backends/image/image_record.hpp>
#include <boost/test/unit_test.hpp>

#include <string>

using namespace capsa;
using image::format_record;
using image::parse_record;

namespace {

Image an_image() {
  Image image;
  image.reference = "example.com/a:1";
  image.digest = "sha256:" + std::string(64, 'a');
  image.pulled = std::chrono::system_clock::time_point(std::chrono::seconds(1'700'000'000));
  ImageLayer layer;
  layer.diff_id = "sha256:" + std::string(64, 'b');
  layer.bytes = 402;
  image.layers.push_back(layer);
  return image;
}

/// The record of an_image(), with one thing in it replaced.
result<Image> parse_with(const std::string& what, const std::string& by) {
  auto text = format_record(an_image());
  const auto at = text.find(what);
  BOOST_TEST_REQUIRE(at != std::string::npos);
  return parse_record(text.replace(at, what.size(), by), "/layers");
}

}  // namespace

BOOST_AUTO_TEST_SUITE(image_record)

BOOST_AUTO_TEST_CASE(what_is_written_is_read) {
  const auto read = parse_record(format_record(an_image()), "/layers").value();
  BOOST_TEST(read.reference == "example.com/a:1");
  BOOST_TEST((read.pulled == an_image().pulled));
  BOOST_TEST(read.layers.at(0).bytes == 402U);
}

BOOST_AUTO_TEST_CASE(a_size_or_a_time_that_is_no_whole_number_or_too_large_is_damage) {
  for (const std::string number : {"4.029e+131", "402.5", "-1", "\"402\"", "18446744073709551616"})
    BOOST_TEST((parse_with("402", number).error().code() == ErrorCode::InvalidConfig), number);
  for (const std::string number : {"1e300", "-1", "9223372036854775807"})
    BOOST_TEST((parse_with("1700000000", number).error().code() == ErrorCode::InvalidConfig),
               number);
  BOOST_TEST(parse_with("402", "18446744073709551615").ok());
}

BOOST_AUTO_TEST_CASE(another_format_is_told_from_damage) {
  const auto other = parse_with("\"format\": 1", "\"format\": 2");
  BOOST_TEST(other.error().message().find("another format") != std::string::npos);
}

BOOST_AUTO_TEST_SUITE_END()
