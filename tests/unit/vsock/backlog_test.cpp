// What a port keeps of a guest's bytes and connections; no actor needed.
#include <actors/vsock/backlog.hpp>
#include <boost/test/unit_test.hpp>

using capsa::vsock_units::Backlog;
using capsa::vsock_units::Pieces;

namespace {

std::string take_all(Pieces& pieces, std::size_t at_once = SIZE_MAX) {
  std::string all;
  while (!pieces.empty()) {
    const auto part = pieces.front().substr(0, at_once);
    all += part;
    pieces.drop(part.size());
  }
  return all;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(vsock_backlog)

BOOST_AUTO_TEST_CASE(single_bytes_melt_into_pieces) {
  Pieces pieces;
  std::string sent;
  for (int i = 0; i < 200'000; ++i) {
    const std::string byte(1, static_cast<char>(i * 7));
    sent += byte;
    pieces.append(byte);
  }
  BOOST_TEST(pieces.bytes() == sent.size());
  BOOST_TEST(pieces.count() == 4U);
  BOOST_TEST((take_all(pieces, 1000) == sent));
  BOOST_TEST(pieces.bytes() == 0U);
}

BOOST_AUTO_TEST_CASE(bytes_keep_their_order_however_they_come_and_go) {
  Pieces pieces;
  std::string sent;
  std::string got;
  for (std::size_t i = 0; i < 500; ++i) {
    const std::string part(i * 997 % 90'000, static_cast<char>(i));
    sent += part;
    pieces.append(part);
    if (pieces.empty()) continue;
    const auto some = pieces.front().substr(0, i * 61 % 40'000);
    got += some;
    pieces.drop(some.size());
    BOOST_TEST_REQUIRE(pieces.bytes() == sent.size() - got.size());
  }
  got += take_all(pieces);
  BOOST_TEST((got == sent));
}

BOOST_AUTO_TEST_CASE(pieces_begin_anew_when_cleared) {
  Pieces pieces;
  pieces.append("abc");
  pieces.drop(1);
  pieces.clear();
  BOOST_TEST(pieces.empty());
  pieces.append({});
  BOOST_TEST(pieces.empty());
  pieces.append("de");
  BOOST_TEST(take_all(pieces) == "de");
}

BOOST_AUTO_TEST_CASE(connections_are_taken_in_order_with_what_they_sent) {
  Backlog backlog;
  BOOST_TEST(backlog.add(1, 10));
  BOOST_TEST(backlog.add(2, 20));
  BOOST_TEST(backlog.append(2, "second"));
  BOOST_TEST(backlog.append(1, "first"));
  BOOST_TEST(backlog.find(3) == nullptr);
  BOOST_TEST(!backlog.append(3, "nobody"));
  backlog.find(1)->closed = true;
  auto first = backlog.take();
  BOOST_TEST(first.id == 1U);
  BOOST_TEST(first.credit == 10U);
  BOOST_TEST(first.closed);
  BOOST_TEST(take_all(first.queue) == "first");
  BOOST_TEST(backlog.bytes() == 6U);
  BOOST_TEST(backlog.take().id == 2U);
  BOOST_TEST(backlog.empty());
  BOOST_TEST(backlog.bytes() == 0U);
}

BOOST_AUTO_TEST_CASE(a_guest_that_opens_and_closes_for_ever_loses_its_oldest) {
  Backlog backlog;
  for (std::uint64_t id = 1; id <= 10'000; ++id) {
    BOOST_TEST_REQUIRE(backlog.add(id, 0));
    BOOST_TEST_REQUIRE(backlog.append(id, "x"));
    backlog.find(id)->closed = true;
  }
  BOOST_TEST(backlog.size() == Backlog::kMaxConnections);
  BOOST_TEST(backlog.bytes() == Backlog::kMaxConnections);
  BOOST_TEST(backlog.take().id == 10'001 - Backlog::kMaxConnections);
}

BOOST_AUTO_TEST_CASE(beyond_the_bound_an_open_connection_is_refused_and_none_is_dropped) {
  Backlog backlog;
  for (std::uint64_t id = 1; id <= Backlog::kMaxConnections; ++id)
    BOOST_TEST_REQUIRE(backlog.add(id, 0));
  BOOST_TEST(!backlog.add(5000, 0));
  BOOST_TEST(backlog.find(5000) == nullptr);
  backlog.find(7)->closed = true;
  BOOST_TEST(backlog.add(5000, 0));
  BOOST_TEST(backlog.find(7) == nullptr);
  BOOST_TEST(backlog.size() == Backlog::kMaxConnections);
}

BOOST_AUTO_TEST_CASE(bytes_are_bounded_as_well) {
  Backlog backlog;
  const std::string much(std::size_t{1} << 20, 'x');
  for (std::uint64_t id = 1; id <= 100; ++id) {
    BOOST_TEST_REQUIRE(backlog.add(id, 0));
    BOOST_TEST_REQUIRE(backlog.append(id, much));
    backlog.find(id)->closed = id <= 90;
    BOOST_TEST_REQUIRE(backlog.bytes() <= Backlog::kMaxBytes);
  }
  // The closed ones went first; of the open ones, the one that goes too far.
  BOOST_TEST(backlog.find(100) != nullptr);
  for (std::uint64_t id = 101; id <= 106; ++id)
    BOOST_TEST_REQUIRE((backlog.add(id, 0) && backlog.append(id, much)));
  BOOST_TEST(!backlog.append(91, "x"));
  BOOST_TEST(backlog.find(91) == nullptr);
  BOOST_TEST(backlog.append(92, "x"));
  BOOST_TEST(backlog.bytes() == 15 * much.size() + 1);
}

BOOST_AUTO_TEST_SUITE_END()
