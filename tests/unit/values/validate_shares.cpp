#include <tests/unit/values/fixture.hpp>

using namespace capsa;
using namespace capsa::test;

namespace {

VmConfig with_shares(std::vector<ShareConfig> shares) {
  VmConfig config;
  config.shares = std::move(shares);
  return config;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(validate_shares)

BOOST_AUTO_TEST_CASE(a_directory_with_a_tag_is_accepted) {
  TemporaryDirectory dir;
  check_accepted(validate(with_shares({{dir.path(), "src"}}), big_host()));
}

BOOST_AUTO_TEST_CASE(the_host_path_is_a_directory_that_exists) {
  TemporaryDirectory dir;
  check_refused(validate(with_shares({{dir.path() / "none", "src"}}), big_host()),
                {"share 1", "none", "No such file"});
  check_refused(validate(with_shares({{dir.file("f"), "src"}}), big_host()),
                {"share 1", "not a directory"});
  check_refused(validate(with_shares({{"", "src"}}), big_host()), {"share 1", "empty"});
  check_refused(validate(with_shares({{std::string("/a\0b", 4), "src"}}), big_host()),
                {"share 1", "NUL"});
}

BOOST_AUTO_TEST_CASE(a_tag_has_one_to_36_bytes) {
  check_accepted(validate(with_shares({{"/", std::string(36, 't')}}), big_host()));
  check_refused(validate(with_shares({{"/", std::string(37, 't')}}), big_host()),
                {"share 1", "37 bytes", "1 to 36"});
  check_refused(validate(with_shares({{"/", ""}}), big_host()), {"share 1", "empty", "1 to 36"});
  check_refused(validate(with_shares({{"/", "a\nb"}}), big_host()), {"share 1", "a\\nb"});
}

BOOST_AUTO_TEST_CASE(a_tag_given_twice_is_refused) {
  check_refused(validate(with_shares({{"/", "a"}, {"/", "b"}, {"/", "a"}}), big_host()),
                {"share 3", "\"a\"", "taken"});
}

BOOST_AUTO_TEST_CASE(a_sandbox_takes_a_plain_absolute_path) {
  for (const char* good : {"/mnt", "/mnt/work", "/a.b/..c/...", "/device"}) {
    check_accepted(validate(with_shares({{"/", good}}), sandbox_on_big_host()));
  }
  for (const char* bad :
       {"", "/", "work", "./work", "/mnt/../etc", "/..", "/mnt/.", "//mnt", "/mnt//x", "/mnt/"}) {
    check_refused(validate(with_shares({{"/", bad}}), sandbox_on_big_host()),
                  {"share 1", "absolute", "\"" + std::string(bad) + "\""});
  }
  check_refused(validate(with_shares({{"/", "/a\nb"}}), sandbox_on_big_host()), {"a\\nb"});
  check_refused(validate(with_shares({{"/", "/" + std::string(4096, 'x')}}), sandbox_on_big_host()),
                {"share 1"});
}

BOOST_AUTO_TEST_CASE(a_sandboxs_path_may_be_longer_than_a_tag) {
  check_accepted(
      validate(with_shares({{"/", "/" + std::string(200, 'x')}}), sandbox_on_big_host()));
}

BOOST_AUTO_TEST_CASE(the_guests_own_directories_are_not_covered) {
  for (const char* bad : {"/dev", "/proc/x", "/sys"}) {
    check_refused(validate(with_shares({{"/", bad}}), sandbox_on_big_host()),
                  {"share 1", bad, "cover"});
  }
}

BOOST_AUTO_TEST_CASE(a_share_may_lie_in_an_earlier_one_but_not_hide_it) {
  check_accepted(validate(with_shares({{"/", "/a"}, {"/", "/a/b"}}), sandbox_on_big_host()));
  check_accepted(validate(with_shares({{"/", "/ab"}, {"/", "/a"}}), sandbox_on_big_host()));
  check_refused(validate(with_shares({{"/", "/a/b"}, {"/", "/a"}}), sandbox_on_big_host()),
                {"share 2", "hide", "/a/b"});
}

BOOST_AUTO_TEST_CASE(passthrough_needs_root) {
  ShareConfig share{"/", "a"};
  share.ownership = Ownership::Passthrough;
  check_accepted(validate(with_shares({share}), big_host()));
  auto context = big_host();
  context.root = false;
  check_refused(validate(with_shares({share}), context), {"share 1", "passthrough", "root"});
}

BOOST_AUTO_TEST_CASE(more_shares_than_the_machine_has_room_for_are_unsupported) {
  TemporaryDirectory dir;
  const auto file = dir.file("boot");
  auto context = big_host();
  context.boot.emplace(file, file);
  const auto with = [](std::size_t shares) {
    VmConfig config;
    for (std::size_t i = 0; i != shares; ++i)
      config.shares.push_back({"/", "tag" + std::to_string(i)});
    return config;
  };
  check_accepted(validate(with(23), context));
  const auto refused = validate(with(24), context);
  BOOST_REQUIRE(!refused);
  BOOST_TEST((refused.error().code() == ErrorCode::UnsupportedFeature));
  BOOST_TEST(refused.error().message().find("24 were given; at most 23") != std::string::npos,
             refused.error().message());
  BOOST_TEST(!refused.error().hint().empty());

  context.boot->acpi = false;
  check_accepted(validate(with(7), context));
  BOOST_TEST(!validate(with(8), context));
  auto full = with(5);
  full.console = true;
  full.agent = true;
  full.vsock_ports = {VsockPortConfig::listen_auto(1), VsockPortConfig::listen_auto(2)};
  check_accepted(validate(full, context));
  full.shares.push_back({"/", "one more"});
  BOOST_TEST(!validate(full, context));
}

BOOST_AUTO_TEST_SUITE_END()
