#include <boost/test/unit_test.hpp>
#include <net/dns/tcp_framing.hpp>
#include <tests/unit/net/dns/wire.hpp>

namespace capsa::net::dns {

using test::Bytes;
using test::bytes;

BOOST_AUTO_TEST_SUITE(net_dns_tcp_framing)

BOOST_AUTO_TEST_CASE(a_message_has_its_length_before_it) {
  BOOST_TEST((frame_for_tcp(bytes({7, 8, 9})) == bytes({0, 3, 7, 8, 9})));
  BOOST_TEST((frame_for_tcp(Bytes(0x1234)).front() == std::byte{0x12}));
}

BOOST_AUTO_TEST_CASE(a_stream_split_anywhere_gives_the_same_messages) {
  const Bytes stream = bytes({0, 3, 7, 8, 9, 0, 0, 0, 1, 5, 0, 2, 1, 2});
  for (std::size_t first = 0; first <= stream.size(); ++first) {
    for (std::size_t second = first; second <= stream.size(); ++second) {
      TcpUnframer unframer;
      std::vector<Bytes> messages;
      std::size_t from = 0;
      for (const std::size_t to : {first, second, stream.size()}) {
        auto part = std::span(stream).subspan(from, to - from);
        std::span<const std::byte> left = part;
        while (const auto message = unframer.next(left))
          messages.emplace_back(message->begin(), message->end());
        BOOST_TEST(left.empty());
        from = to;
      }
      // A message without bytes is none.
      BOOST_TEST((messages == std::vector<Bytes>{bytes({7, 8, 9}), bytes({5}), bytes({1, 2})}));
    }
  }
}

BOOST_AUTO_TEST_CASE(the_longest_message_comes_whole) {
  const Bytes stream = frame_for_tcp(Bytes(65535, std::byte{1}));
  TcpUnframer unframer;
  std::span<const std::byte> left = stream;
  const auto message = unframer.next(left);
  BOOST_REQUIRE(message);
  BOOST_TEST(message->size() == 65535U);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::dns
