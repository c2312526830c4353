#include <fcntl.h>
#include <unistd.h>

#include <backends/firmware/variable_store.hpp>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <sstream>
#include <tests/support/scratch_dir.hpp>
#include <thread>
#include <vector>

using namespace capsa;
using namespace capsa::firmware;

namespace {

const std::string kFirst(540672, 'v');

struct Host {
  tests::ScratchDir dir;
  Ovmf firmware{dir.file("code", "c"), dir.file("variables", kFirst)};
  std::filesystem::path store = dir.path() / "store";

  std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(dir.path()), {}));
  }
};

std::string content(const std::filesystem::path& path) {
  std::ostringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return out.str();
}

template <class T>
void check_refused(const result<T>& outcome, ErrorCode code, const std::filesystem::path& named) {
  BOOST_TEST_REQUIRE(!outcome.ok());
  BOOST_TEST((outcome.error().code() == code), outcome.error().what());
  BOOST_TEST(outcome.error().message().find(named.native()) != std::string::npos,
             outcome.error().message());
}

}  // namespace

BOOST_AUTO_TEST_SUITE(variable_store)

BOOST_AUTO_TEST_CASE(a_store_that_is_missing_is_made_of_the_first_variables) {
  const Host host;
  BOOST_TEST(check_variable_store(host.store, host.firmware, true).ok());
  BOOST_TEST(!std::filesystem::exists(host.store));
  const auto store = open_variable_store(host.store, host.firmware, true);
  BOOST_TEST_REQUIRE(store.ok());
  BOOST_TEST((content(host.store) == kFirst));
  // Keys may be in it.
  BOOST_TEST((std::filesystem::status(host.store).permissions() == std::filesystem::perms(0600)));
  BOOST_TEST(host.files() == 3U);
}

BOOST_AUTO_TEST_CASE(a_store_that_is_there_keeps_what_it_holds) {
  const Host host;
  {
    const auto store = open_variable_store(host.store, host.firmware, true);
    BOOST_TEST_REQUIRE(store.ok());
    BOOST_TEST(::pwrite(store->get(), "new", 3, 100) == 3);
  }
  for (const bool create : {true, false}) {
    BOOST_TEST(check_variable_store(host.store, host.firmware, create).ok());
    BOOST_TEST(open_variable_store(host.store, host.firmware, create).ok());
  }
  BOOST_TEST(content(host.store).substr(100, 3) == "new");
}

BOOST_AUTO_TEST_CASE(a_store_is_not_made_where_that_was_not_asked_for) {
  const Host host;
  check_refused(check_variable_store(host.store, host.firmware, false), ErrorCode::NotFound,
                host.store);
  check_refused(open_variable_store(host.store, host.firmware, false), ErrorCode::NotFound,
                host.store);
  BOOST_TEST(!std::filesystem::exists(host.store));
}

BOOST_AUTO_TEST_CASE(a_directory_that_is_missing_is_not_made) {
  const Host host;
  const auto store = host.dir.path() / "none" / "store";
  check_refused(check_variable_store(store, host.firmware, true), ErrorCode::NotFound, store);
  check_refused(open_variable_store(store, host.firmware, true), ErrorCode::NotFound, store);
}

BOOST_AUTO_TEST_CASE(a_store_of_another_size_is_refused_and_left_alone) {
  const Host host;
  for (const auto& bytes : {std::string(), std::string("x"), kFirst + 'x'}) {
    const auto store = host.dir.file("other", bytes);
    check_refused(check_variable_store(store, host.firmware, true), ErrorCode::InvalidConfig,
                  store);
    const auto opened = open_variable_store(store, host.firmware, true);
    check_refused(opened, ErrorCode::InvalidConfig, store);
    BOOST_TEST(opened.error().message().find("540672") != std::string::npos);
    BOOST_TEST((content(store) == bytes));
  }
}

BOOST_AUTO_TEST_CASE(what_is_no_file_is_no_store) {
  const Host host;
  check_refused(check_variable_store("/dev/null", host.firmware, true), ErrorCode::InvalidConfig,
                "/dev/null");
  check_refused(open_variable_store("/dev/null", host.firmware, true), ErrorCode::InvalidConfig,
                "/dev/null");
  BOOST_TEST(!open_variable_store(host.dir.path(), host.firmware, true).ok());
  BOOST_TEST_REQUIRE(::mkfifo(host.store.c_str(), 0600) == 0);
  check_refused(open_variable_store(host.store, host.firmware, true), ErrorCode::InvalidConfig,
                host.store);
}

BOOST_AUTO_TEST_CASE(a_store_belongs_to_one_machine_at_a_time) {
  const Host host;
  auto first = open_variable_store(host.store, host.firmware, true);
  BOOST_TEST_REQUIRE(first.ok());
  check_refused(open_variable_store(host.store, host.firmware, true), ErrorCode::ResourceExhausted,
                host.store);
  // A hypervisor's copy holds the lock on.
  UniqueFd copy(::dup(first->get()));
  first->reset();
  check_refused(open_variable_store(host.store, host.firmware, true), ErrorCode::ResourceExhausted,
                host.store);
  copy.reset();
  BOOST_TEST(open_variable_store(host.store, host.firmware, true).ok());
}

BOOST_AUTO_TEST_CASE(of_two_makers_one_has_the_store_and_none_sees_half_of_it) {
  constexpr int kMakers = 4;
  for (int round = 0; round < 20; ++round) {
    const Host host;
    std::vector<result<UniqueFd>> stores;
    for (int i = 0; i < kMakers; ++i)
      stores.emplace_back(error(ErrorCode::Internal, {}));
    std::vector<std::thread> makers;
    for (auto& store : stores)
      makers.emplace_back(
          [&host, &store] { store = open_variable_store(host.store, host.firmware, true); });
    for (auto& maker : makers)
      maker.join();
    int have = 0;
    for (const auto& store : stores) {
      have += store.ok() ? 1 : 0;
      BOOST_TEST((store.ok() || store.error().code() == ErrorCode::ResourceExhausted));
    }
    BOOST_TEST(have == 1);
    BOOST_TEST((content(host.store) == kFirst));
    BOOST_TEST(host.files() == 3U);
  }
}

BOOST_AUTO_TEST_CASE(a_nameless_store_is_each_machines_own) {
  const Host host;
  const auto one = make_nameless_store(host.firmware);
  const auto other = make_nameless_store(host.firmware);
  BOOST_TEST_REQUIRE(one.ok());
  BOOST_TEST_REQUIRE(other.ok());
  BOOST_TEST(::pwrite(one->get(), "new", 3, 0) == 3);
  std::string bytes(kFirst.size() + 1, '\0');
  BOOST_TEST(::pread(other->get(), bytes.data(), bytes.size(), 0) ==
             static_cast<ssize_t>(kFirst.size()));
  BOOST_TEST((bytes.substr(0, kFirst.size()) == kFirst));
  BOOST_TEST(host.files() == 2U);
}

BOOST_AUTO_TEST_CASE(a_template_that_is_no_flash_is_refused) {
  Host host;
  host.firmware.variables = host.dir.file("empty", "");
  check_refused(make_nameless_store(host.firmware), ErrorCode::BackendUnavailable,
                host.firmware.variables);
  host.firmware.variables = host.dir.path() / "none";
  check_refused(make_nameless_store(host.firmware), ErrorCode::NotFound, host.firmware.variables);
  std::ofstream(host.dir.path() / "huge").close();
  std::filesystem::resize_file(host.dir.path() / "huge", 9U << 20);
  host.firmware.variables = host.dir.path() / "huge";
  check_refused(make_nameless_store(host.firmware), ErrorCode::BackendUnavailable,
                host.firmware.variables);
}

BOOST_AUTO_TEST_SUITE_END()
