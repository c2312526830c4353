#include <backends/virtio/fs/protocol.hpp>
#include <boost/test/unit_test.hpp>
#include <tests/unit/fs/fuse_client.hpp>

namespace capsa::virtio::fs::test {

BOOST_AUTO_TEST_SUITE(fs_protocol)

BOOST_AUTO_TEST_CASE(names_that_are_no_single_component_are_refused) {
  for (const std::string_view bad : {"", ".", "..", "/", "a/b", "/etc", "a/", "../x"}) {
    BOOST_TEST(check_name(bad) == EINVAL, bad);
  }
  BOOST_TEST(check_name(std::string_view("a\0b", 3)) == EINVAL);
  BOOST_TEST(check_name(std::string(256, 'x')) == ENAMETOOLONG);
  for (const std::string_view good : {"a", "...", ".hidden", "a b", "\xff\xfe", "-"}) {
    BOOST_TEST(check_name(good) == 0, good);
  }
  BOOST_TEST(check_name(std::string(255, 'x')) == 0);
}

BOOST_AUTO_TEST_CASE(a_string_without_its_nul_is_not_taken) {
  const Args args = Args().raw("abc");
  ArgReader reader(args.bytes());
  BOOST_TEST(!reader.take_string().has_value());
  ArgReader nothing{std::span<const std::byte>()};
  BOOST_TEST(!nothing.take_string().has_value());
}

BOOST_AUTO_TEST_CASE(nothing_may_follow_the_last_string) {
  const Args args = Args().text("a").text("b");
  ArgReader reader(args.bytes());
  BOOST_TEST(!reader.take_last_string().has_value());
  ArgReader in_order(args.bytes());
  BOOST_TEST(in_order.take_string().value() == "a");
  BOOST_TEST(in_order.take_last_string().value() == "b");
}

BOOST_AUTO_TEST_CASE(a_request_longer_than_its_bytes_is_refused) {
  Bytes request = make_request(FUSE_LOOKUP, 1, Args().text("a"));
  BOOST_TEST(static_cast<bool>(parse_request(request, request.size())));
  request.pop_back();
  BOOST_TEST(parse_request(request, request.size()).error() == EINVAL);
}

BOOST_AUTO_TEST_CASE(bytes_behind_a_request_do_not_belong_to_it) {
  Bytes request = make_request(FUSE_LOOKUP, 1, Args().text("a"));
  request.resize(request.size() + 100, std::byte{'x'});
  const auto parsed = parse_request(request, request.size());
  BOOST_REQUIRE(static_cast<bool>(parsed));
  BOOST_TEST(parsed->args.rest().size() == 2U);
}

BOOST_AUTO_TEST_CASE(extensions_are_no_part_of_the_arguments) {
  Bytes request = make_request(FUSE_LOOKUP, 1, Args().text("a").raw("extended"));
  const std::uint16_t units = 1;
  std::memcpy(request.data() + offsetof(fuse_in_header, total_extlen), &units, sizeof(units));
  const auto parsed = parse_request(request, request.size());
  BOOST_REQUIRE(static_cast<bool>(parsed));
  BOOST_TEST(parsed->args.rest().size() == 2U);
  const std::uint16_t too_many = 2;
  std::memcpy(request.data() + offsetof(fuse_in_header, total_extlen), &too_many, 2);
  BOOST_TEST(parse_request(request, request.size()).error() == EINVAL);
}

BOOST_AUTO_TEST_CASE(only_the_front_of_a_write_is_copied) {
  BOOST_TEST(copied_bytes(FUSE_WRITE, 10'000) == 80U);
  BOOST_TEST(copied_bytes(FUSE_WRITE, 50) == 50U);
  BOOST_TEST(copied_bytes(FUSE_SETXATTR, 70'000) == 70'000U);
  BOOST_TEST(copied_bytes(FUSE_SETXATTR, std::size_t{1} << 40) == kMaxRequestBytes);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::virtio::fs::test
