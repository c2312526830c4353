#include <boost/test/unit_test.hpp>
#include <net/vnet_header.hpp>
#include <tests/unit/net/frames.hpp>

namespace capsa::net::test {

BOOST_AUTO_TEST_SUITE(net_vnet_header)

BOOST_AUTO_TEST_CASE(what_is_encoded_is_decoded_to_the_same) {
  FrameMeta checksum;
  checksum.needs_checksum = true;
  checksum.checksum_start = 34;
  checksum.checksum_offset = 6;
  FrameMeta valid;
  valid.checksum_valid = true;
  FrameMeta ecn = tcp_gso({.ipv6 = true, .options = 12}, 1428);
  ecn.ecn = true;
  for (const FrameMeta& meta : {FrameMeta{}, checksum, valid, tcp_gso(), ecn}) {
    const auto header = encode_vnet_header(meta);
    BOOST_TEST((decode_vnet_header(header) == meta));
  }
}

BOOST_AUTO_TEST_CASE(a_header_is_little_endian_as_virtio_has_it) {
  FrameMeta meta = tcp_gso({.ipv6 = true}, 0x0506);
  meta.ecn = true;
  const unsigned expected[] = {1, 0x84, 74, 0, 6, 5, 54, 0, 16, 0};
  const auto header = encode_vnet_header(meta);
  for (std::size_t at = 0; at < header.size(); ++at)
    BOOST_TEST(std::to_integer<unsigned>(header[at]) == expected[at]);
}

BOOST_AUTO_TEST_CASE(kinds_of_segmentation_that_nobody_agreed_to_are_refused) {
  for (const unsigned type : {2U, 3U, 5U, 0x80U, 0x83U, 0xffU}) {
    auto header = encode_vnet_header(tcp_gso());
    header[1] = static_cast<std::byte>(type);
    BOOST_TEST(!decode_vnet_header(header));
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::test
