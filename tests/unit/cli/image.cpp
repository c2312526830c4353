#include <boost/test/unit_test.hpp>
#include <tools/cli/image_pull.hpp>

using namespace capsa;
using namespace capsa::cli;

BOOST_AUTO_TEST_SUITE(image)

BOOST_AUTO_TEST_CASE(an_image_and_how_it_is_had_are_understood) {
  ImageWords words;
  BOOST_TEST(words.is_plain());
  words.reference = "python:3.11";
  BOOST_CHECK(parse_image(words).value() == (OciImage{"python:3.11", {}}));
  words.pull = "never";
  BOOST_TEST(!words.is_plain());
  BOOST_CHECK(parse_image(words).value().options.pull == PullPolicy::Never);
  words.pull = "always";
  words.auth_file = "/auth.json";
  words.insecure = true;
  const auto all = parse_image(words).value().options;
  BOOST_CHECK(all.pull == PullPolicy::Always);
  BOOST_TEST(all.auth_file == "/auth.json");
  BOOST_TEST(all.insecure);
  words.pull = "sometimes";
  BOOST_CHECK(parse_image(words).error().code() == ErrorCode::InvalidConfig);
}

BOOST_AUTO_TEST_CASE(progress_says_what_is_done_to_which_layer) {
  using Step = ImageProgress::Step;
  BOOST_TEST(describe_progress({}, true) == "download");
  BOOST_TEST(describe_progress({.step = Step::Downloading, .layer = 1, .layers = 3}, true) ==
             "download layer 2 of 3");
  BOOST_TEST(describe_progress({.step = Step::Unpacking, .layer = 0, .layers = 3}, true) ==
             "unpack layer 1 of 3");
  BOOST_TEST(describe_progress({.step = Step::Unpacking, .layer = 0, .layers = 3}, false) ==
             "unpack");
}

BOOST_AUTO_TEST_SUITE_END()
