#include <actors/console/core/output_ring.hpp>
#include <boost/test/unit_test.hpp>

using capsa::console::OutputRing;

BOOST_AUTO_TEST_SUITE(output_ring)

BOOST_AUTO_TEST_CASE(what_was_written_can_be_copied_by_its_offset) {
  OutputRing ring(8);
  ring.append("hello");
  BOOST_TEST(ring.end() == 5U);
  BOOST_TEST(ring.copy(1, 4) == "ell");
  BOOST_TEST(ring.copy(0, 100) == "hello");
  BOOST_TEST(ring.copy(4, 2).empty());
}

BOOST_AUTO_TEST_CASE(every_fragmentation_keeps_the_same_end_of_the_stream) {
  const std::string text = "0123456789abcdefghij";
  for (std::size_t step = 1; step <= text.size(); ++step) {
    OutputRing ring(7);
    for (std::size_t at = 0; at < text.size(); at += step)
      ring.append(std::string_view(text).substr(at, step));
    BOOST_TEST(ring.begin() == 13U);
    BOOST_TEST(ring.copy(0, 100) == "defghij");
    BOOST_TEST(ring.copy(15, 18) == "fgh");
    BOOST_TEST(ring.take_lost() == 13U);
    BOOST_TEST(ring.position() == 13U);
  }
}

BOOST_AUTO_TEST_CASE(only_what_was_not_read_counts_as_lost) {
  OutputRing ring(4);
  ring.append("abcd");
  ring.read_to(3);
  ring.append("efgh");  // drops abcd, of which d was not read
  BOOST_TEST(ring.position() == 4U);
  BOOST_TEST(ring.take_lost() == 1U);
  BOOST_TEST(ring.take_lost() == 0U);
  ring.append("ijklmn");
  BOOST_TEST(ring.take_lost() == 6U);
  BOOST_TEST(ring.lost_total() == 7U);
}

BOOST_AUTO_TEST_CASE(the_read_position_never_goes_back_or_beyond_the_end) {
  OutputRing ring(8);
  ring.append("abc");
  ring.read_to(100);
  BOOST_TEST(ring.position() == 3U);
  ring.read_to(1);
  BOOST_TEST(ring.position() == 3U);
}

BOOST_AUTO_TEST_CASE(the_last_lines_are_counted_from_the_end) {
  OutputRing ring(64);
  ring.append("one\r\ntwo\r\nthree\r\n");
  BOOST_TEST(ring.last_lines(2) == "two\nthree");
  BOOST_TEST(ring.last_lines(9) == "one\ntwo\nthree");
  ring.append("vm# \x07");
  BOOST_TEST(ring.last_lines(1) == "vm# \\x07");
  BOOST_TEST(ring.last_lines(0).empty());
  BOOST_TEST(OutputRing(4).last_lines(3).empty());
}

BOOST_AUTO_TEST_CASE(the_last_lines_of_a_guest_without_line_ends_are_bounded) {
  OutputRing ring(4096);
  ring.append(std::string(10000, 'x'));
  BOOST_TEST(ring.last_lines(3, 100).size() == 100U);
}

BOOST_AUTO_TEST_CASE(a_ring_without_room_is_a_ring_of_one_byte) {
  OutputRing ring(0);
  ring.append("abc");
  BOOST_TEST(ring.copy(0, 3) == "c");
}

BOOST_AUTO_TEST_SUITE_END()
