#include <backends/vhost_user/message.hpp>
#include <boost/test/unit_test.hpp>

#include "front_end.hpp"

using namespace capsa;
using test::operator+;
using test::Bytes;
using test::message;
using vhost_user::MessageReader;
using vhost_user::Request;

BOOST_AUTO_TEST_SUITE(message_reader)

BOOST_AUTO_TEST_CASE(a_message_is_put_together_from_pieces_cut_anywhere) {
  const Bytes whole = message(Request::SetFeatures, test::bytes_of(std::uint64_t{0x1234}));
  for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
    MessageReader reader;
    const auto bytes = std::span(whole);
    std::vector<UniqueFd> fds;
    fds.push_back(test::make_eventfd());
    BOOST_TEST(reader.feed(bytes.first(cut), std::move(fds)).value() == cut);
    BOOST_TEST(reader.take().has_value() == (cut == whole.size()));
    if (cut == whole.size()) continue;
    BOOST_TEST(reader.midway() == (cut != 0));
    BOOST_TEST(reader.feed(bytes.subspan(cut), {}).value() == whole.size() - cut);
    const auto read = reader.take().value();
    BOOST_TEST(read.as<std::uint64_t>().value() == 0x1234U);
    BOOST_TEST(read.fds.size() == 1U);
    BOOST_TEST(!reader.midway());
  }
}

BOOST_AUTO_TEST_CASE(a_reader_never_takes_bytes_of_the_next_message) {
  const Bytes one = message(Request::SetFeatures, test::bytes_of(std::uint64_t{1}));
  MessageReader reader;
  BOOST_TEST(reader.wants() == 12U);
  BOOST_TEST(reader.feed(one + one, {}).value() == one.size());
  BOOST_TEST(reader.take().has_value());
  BOOST_TEST(reader.feed(std::span(one).first(12), {}).value() == 12U);
  BOOST_TEST(reader.wants() == 8U);
}

BOOST_AUTO_TEST_CASE(a_header_alone_is_a_message_where_it_says_so) {
  MessageReader reader;
  BOOST_TEST(reader.feed(message(Request::GetFeatures), {}).value() == 12U);
  BOOST_TEST(reader.take().value().payload.empty());
}

BOOST_AUTO_TEST_CASE(a_broken_header_is_refused_before_anything_is_kept) {
  for (const std::uint32_t flags : {0U, 2U, 3U, 5U}) {
    MessageReader reader;
    BOOST_TEST(!reader.feed(message(Request::GetFeatures, {}, false, flags), {}).ok());
  }
  for (const std::uint32_t size : {vhost_user::kMaxPayload + 1, 0xffffffffU}) {
    MessageReader reader;
    const auto bytes = test::bytes_of(vhost_user::Header{1, vhost_user::kVersion, size});
    const auto fed = reader.feed(bytes, {});
    BOOST_REQUIRE(!fed);
    BOOST_TEST((fed.error().code() == ErrorCode::BackendFailed));
  }
}

BOOST_AUTO_TEST_CASE(more_descriptors_than_the_cap_are_refused_and_closed) {
  MessageReader reader;
  const auto fds = [](std::size_t count) {
    std::vector<UniqueFd> made;
    while (made.size() < count)
      made.push_back(test::make_eventfd());
    return made;
  };
  const Bytes bytes = message(Request::SetMemTable);
  BOOST_TEST(reader.feed(std::span(bytes).first(1), fds(8)).ok());
  auto more = fds(1);
  const int number = more.front().get();
  BOOST_TEST(!reader.feed(std::span(bytes).subspan(1), std::move(more)).ok());
  BOOST_TEST(::fcntl(number, F_GETFD) == -1);
}

BOOST_AUTO_TEST_CASE(every_request_has_a_name) {
  BOOST_TEST(vhost_user::name_of(5) == "SET_MEM_TABLE");
  BOOST_TEST(vhost_user::name_of(34) == "RESET_DEVICE");
  BOOST_TEST(vhost_user::name_of(99) == "request 99");
}

BOOST_AUTO_TEST_SUITE_END()
