#include <actors/metrics/prometheus_text.hpp>
#include <boost/test/unit_test.hpp>
#include <limits>

using namespace capsa::metrics;

BOOST_AUTO_TEST_SUITE(prometheus_text)

BOOST_AUTO_TEST_CASE(a_family_has_one_help_and_one_type_before_all_its_samples) {
  PrometheusText out;
  out.family("a_total", Type::Counter, "What a does.");
  out.sample(std::uint64_t{1}, {{"x", "1"}});
  out.sample(std::uint64_t{2}, {{"x", "2"}, {"y", "z"}});
  out.family("b", Type::Gauge, "What b is.");
  out.sample(std::uint64_t{3});
  BOOST_TEST(out.text() ==
             "# HELP a_total What a does.\n# TYPE a_total counter\n"
             "a_total{x=\"1\"} 1\na_total{x=\"2\",y=\"z\"} 2\n"
             "# HELP b What b is.\n# TYPE b gauge\nb 3\n");
}

BOOST_AUTO_TEST_CASE(a_family_without_a_sample_is_left_out) {
  PrometheusText out;
  BOOST_TEST(out.text().empty());
  out.family("none", Type::Gauge, "Nothing.");
  out.family("some", Type::Gauge, "Something.");
  out.sample(std::uint64_t{1});
  out.family("last", Type::Gauge, "Nothing.");
  BOOST_TEST(out.text() == "# HELP some Something.\n# TYPE some gauge\nsome 1\n");
}

BOOST_AUTO_TEST_CASE(what_would_end_a_label_is_escaped_and_the_rest_is_not) {
  PrometheusText out;
  out.family("a", Type::Gauge, "A.");
  out.sample(std::uint64_t{1}, {{"x", "q\"b\\n\nu\xc3\xa4}, {"}});
  BOOST_TEST(out.text().ends_with("a{x=\"q\\\"b\\\\n\\nu\xc3\xa4}, {\"} 1\n"), out.text());
}

BOOST_AUTO_TEST_CASE(numbers_read_back_as_they_were) {
  PrometheusText out;
  out.family("a", Type::Gauge, "A.");
  out.sample(std::numeric_limits<std::uint64_t>::max());
  out.sample(0.1);
  out.sample(12.0);
  out.sample(1e300);
  out.sample(std::numeric_limits<double>::quiet_NaN());
  out.sample(-std::numeric_limits<double>::infinity());
  BOOST_TEST(out.text().ends_with("a 18446744073709551615\na 0.1\na 12\na 1e+300\na NaN\na -Inf\n"),
             out.text());
}

BOOST_AUTO_TEST_SUITE_END()
