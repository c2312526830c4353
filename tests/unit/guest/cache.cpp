#include <actors/guest/cache.hpp>
#include <actors/guest/content_key.hpp>
#include <atomic>
#include <boost/test/unit_test.hpp>
#include <tests/unit/guest/samples.hpp>
#include <thread>

using namespace capsa;
using namespace capsa::guest;
using namespace capsa::guest::samples;

namespace fs = std::filesystem;

namespace {

CachedGuest entry(const char* name, bool tuned, std::int64_t created, const char* agent) {
  Manifest manifest;
  manifest.tuned = tuned;
  manifest.created = created;
  manifest.agent_key = agent;
  return {name, manifest};
}

std::string chosen(std::vector<CachedGuest> guests, std::string_view agent) {
  const auto best = choose_guest(std::move(guests), agent);
  return best ? best->directory.string() : "none";
}

std::size_t entries_in(const fs::path& directory) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(directory), fs::directory_iterator{}));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(guest_cache_entries)

BOOST_AUTO_TEST_CASE(the_tuned_kernel_is_preferred_even_where_it_is_older) {
  BOOST_TEST(chosen({entry("a", false, 9, "k"), entry("b", true, 1, "k")}, "k") == "b");
}

BOOST_AUTO_TEST_CASE(the_newest_of_a_kind_is_preferred) {
  BOOST_TEST(chosen({entry("a", true, 1, "k"), entry("b", true, 3, "k"), entry("c", true, 2, "k")},
                    "k") == "b");
}

BOOST_AUTO_TEST_CASE(another_agents_guest_is_never_chosen) {
  BOOST_TEST(chosen({entry("a", true, 9, "old"), entry("b", false, 1, "new")}, "new") == "b");
  BOOST_TEST(chosen({entry("a", true, 9, "old")}, "new") == "none");
  BOOST_TEST(chosen({entry("a", true, 9, "old")}, "") == "a");
}

BOOST_AUTO_TEST_CASE(only_whole_entries_are_listed) {
  const Scratch root;
  BOOST_TEST(list_guests(root.path()).empty());
  for (const char* name : {"whole", "no_kernel", "no_initrd", "no_manifest", "bad_manifest"}) {
    const auto directory = guests_directory(root.path()) / name;
    fs::create_directories(directory);
    const std::string_view kind = name;
    if (kind != "no_kernel") BOOST_REQUIRE(write_file(directory / "vmlinux", "k").ok());
    if (kind != "no_initrd") BOOST_REQUIRE(write_file(directory / "initrd", "i").ok());
    if (kind != "no_manifest")
      BOOST_REQUIRE(write_file(directory / "manifest.json",
                               kind == "bad_manifest" ? "{" : format_manifest({}))
                        .ok());
  }
  BOOST_REQUIRE(write_file(guests_directory(root.path()) / "a_file", "").ok());
  const auto found = list_guests(root.path());
  BOOST_REQUIRE(found.size() == 1U);
  BOOST_TEST(found.front().directory.filename() == "whole");
}

BOOST_AUTO_TEST_CASE(an_entry_appears_whole_or_not_at_all) {
  const Scratch root;
  const auto target = guests_directory(root.path()) / "entry";
  {
    auto entry = NewEntry::create(root.path());
    BOOST_REQUIRE(entry.ok());
    BOOST_REQUIRE(write_file(entry->path() / "file", "1").ok());
    BOOST_TEST(!fs::exists(target));
    BOOST_TEST(entry->publish(target).ok());
  }
  BOOST_TEST(*read_file(target / "file", 10) == "1");
  { BOOST_REQUIRE(NewEntry::create(root.path()).ok()); }  // given up
  BOOST_TEST(entries_in(root.path()) == 1U);
}

BOOST_AUTO_TEST_CASE(publishing_again_replaces_the_old_entry) {
  const Scratch root;
  const auto target = guests_directory(root.path()) / "entry";
  for (const char* content : {"1", "2"}) {
    auto entry = NewEntry::create(root.path());
    BOOST_REQUIRE(entry.ok());
    BOOST_REQUIRE(write_file(entry->path() / "file", content).ok());
    BOOST_REQUIRE(entry->publish(target).ok());
  }
  BOOST_TEST(*read_file(target / "file", 10) == "2");
  BOOST_TEST(entries_in(root.path()) == 1U);
}

BOOST_AUTO_TEST_CASE(what_a_crash_left_is_removed) {
  const Scratch root;
  fs::create_directories(root.path() / ".new-abcdef" / "deep");
  fs::create_directories(root.path() / ".new-abcdef-old");
  fs::create_directories(root.path() / "guest");
  remove_unfinished(root.path());
  BOOST_TEST(entries_in(root.path()) == 1U);
  BOOST_TEST(fs::exists(root.path() / "guest"));
}

BOOST_AUTO_TEST_CASE(the_second_maker_waits_until_the_first_is_done) {
  const Scratch root;
  auto first = lock_cache(root.path());
  BOOST_REQUIRE(first.ok());
  std::atomic<bool> released = false;
  std::atomic<bool> told = false;
  std::atomic<bool> early = false;
  std::atomic<bool> waits = false;
  std::thread second([&] {
    const auto lock = lock_cache(root.path(), [&] {
      told = true;
      waits = true;
      waits.notify_one();
    });
    early = !lock.ok() || !released;
  });
  waits.wait(false);
  released = true;
  first->reset();
  second.join();
  BOOST_TEST(told);
  BOOST_TEST(!early);
}

BOOST_AUTO_TEST_CASE(a_free_lock_is_taken_without_a_word) {
  const Scratch root;
  bool told = false;
  BOOST_TEST(lock_cache(root.path() / "not" / "there", [&] { told = true; }).ok());
  BOOST_TEST(!told);
}

BOOST_AUTO_TEST_CASE(a_cache_that_cannot_be_made_is_an_error_with_a_hint) {
  const Scratch root;
  BOOST_REQUIRE(write_file(root.path() / "file", "").ok());
  const auto lock = lock_cache(root.path() / "file" / "cache");
  BOOST_REQUIRE(!lock.ok());
  BOOST_TEST(lock.error().hint().find("XDG_CACHE_HOME") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(names_have_plain_characters_only) {
  BOOST_TEST(entry_name(true, "6.1.192-2", "abc") == "tuned-6.1.192-2-abc");
  BOOST_TEST(entry_name(false, "1:6.1/../x~y", "") == "stock-1_6.1_.._x_y");
}

BOOST_AUTO_TEST_CASE(a_file_beyond_the_limit_is_not_read) {
  const Scratch root;
  BOOST_REQUIRE(write_file(root.path() / "file", "12345").ok());
  BOOST_TEST(*read_file(root.path() / "file", 5) == "12345");
  BOOST_TEST((read_file(root.path() / "file", 4).error().code() == ErrorCode::ResourceExhausted));
  BOOST_TEST((read_file(root.path() / "none", 4).error().code() == ErrorCode::NotFound));
}

BOOST_AUTO_TEST_CASE(a_file_is_written_once) {
  const Scratch root;
  BOOST_TEST(write_file(root.path() / "file", "1").ok());
  BOOST_TEST(!write_file(root.path() / "file", "2").ok());
}

BOOST_AUTO_TEST_SUITE_END()

BOOST_AUTO_TEST_SUITE(content_keys)

BOOST_AUTO_TEST_CASE(the_key_is_the_published_hash) {
  // Test vectors of the FNV page: 64-bit FNV-1a.
  BOOST_TEST(content_key("") == "cbf29ce484222325");
  BOOST_TEST(content_key("a") == "af63dc4c8601ec8c");
  BOOST_TEST(content_key("foobar") == "85944171f73967e8");
}

BOOST_AUTO_TEST_CASE(a_files_key_is_that_of_its_content_and_follows_it) {
  const Scratch root;
  const auto file = root.path() / "file";
  const std::string content(200'000, 'x');
  BOOST_REQUIRE(write_file(file, content).ok());
  BOOST_TEST(*file_key(file) == content_key(content));
  BOOST_TEST(*file_key(file) == content_key(content));
  fs::remove(file);
  BOOST_REQUIRE(write_file(file, "other").ok());
  BOOST_TEST(*file_key(file) == content_key("other"));
  BOOST_TEST((file_key(root.path() / "none").error().code() == ErrorCode::NotFound));
}

BOOST_AUTO_TEST_SUITE_END()
