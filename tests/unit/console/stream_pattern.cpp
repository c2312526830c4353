#include <actors/console/core/stream_pattern.hpp>
#include <boost/test/unit_test.hpp>

using capsa::console::StreamPattern;

BOOST_AUTO_TEST_SUITE(stream_pattern)

BOOST_AUTO_TEST_CASE(a_pattern_cut_at_every_byte_is_found) {
  const std::string text = "xxababcababdxx";
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    StreamPattern pattern("ababd");
    const std::size_t first = pattern.feed(std::string_view(text).substr(0, cut));
    const std::size_t second =
        first == StreamPattern::npos ? pattern.feed(std::string_view(text).substr(cut)) : 0;
    BOOST_TEST((first == StreamPattern::npos ? cut + second : first) == 12U);
  }
}

BOOST_AUTO_TEST_CASE(it_agrees_with_a_plain_search_on_all_short_texts) {
  // Every pattern of up to four and every text of up to ten bytes over {a, b}.
  for (unsigned plen = 1; plen <= 4; ++plen)
    for (unsigned p = 0; p < (1U << plen); ++p) {
      std::string needle;
      for (unsigned i = 0; i < plen; ++i)
        needle += (p >> i) & 1 ? 'a' : 'b';
      for (unsigned t = 0; t < (1U << 10); ++t) {
        std::string text;
        for (unsigned i = 0; i < 10; ++i)
          text += (t >> i) & 1 ? 'a' : 'b';
        StreamPattern pattern(needle);
        std::size_t found = StreamPattern::npos;
        for (std::size_t i = 0; i < text.size() && found == StreamPattern::npos; ++i)
          if (pattern.feed({&text[i], 1}) == 1) found = i + 1;
        const std::size_t at = text.find(needle);
        BOOST_REQUIRE_EQUAL(found, at == std::string::npos ? at : at + plen);
      }
    }
}

BOOST_AUTO_TEST_CASE(after_a_match_the_search_begins_anew) {
  StreamPattern pattern("aa");
  BOOST_TEST(pattern.feed("aaa") == 2U);
  BOOST_TEST(pattern.feed("a") == StreamPattern::npos);
  BOOST_TEST(pattern.feed("a") == 1U);
}

BOOST_AUTO_TEST_SUITE_END()
