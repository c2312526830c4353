#include <boost/test/unit_test.hpp>
#include <mutex>
#include <tests/conformance/reference_rows.hpp>
#include <tests/conformance/reference_scene.hpp>

using namespace capsa;
using namespace std::chrono_literals;
using test::code_of;

namespace {

constexpr std::size_t kSize = 2;

/// A pool of guests whose agents answer.
Pool make_pool() {
  SandboxConfig sandbox;
  sandbox.assets = test::guest();
  return test::runtime()
      .pool(sandbox)
      .cpus(2)
      .memory_mb(256)
      .console_enabled()
      .timeout(120s)
      .build(kSize)
      .get();
}
Pool& pool() {
  static Pool instance = make_pool();
  return instance;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(reference_of_pool)

BOOST_AUTO_TEST_CASE(pool_04_build) {
  BOOST_TEST(pool().size() == kSize);
}

BOOST_AUTO_TEST_CASE(pool_07_available_count) {
  BOOST_TEST(pool().available_count().get() == kSize);
}

BOOST_AUTO_TEST_CASE(pool_01_cpus) {
  const auto vm = pool().reserve().get();
  BOOST_TEST(vm->resources().cpus == 2U);
  BOOST_TEST(test::said(vm->agent().get(), "nproc") == "2\n");
}

BOOST_AUTO_TEST_CASE(pool_02_memory_mb) {
  const auto vm = pool().reserve().get();
  const auto total = vm->agent().get().info().get().memory_total_bytes >> 20;
  BOOST_TEST(total <= 256U);
  BOOST_TEST(total > 180U);
}

BOOST_AUTO_TEST_CASE(pool_03_console_enabled) {
  const auto vm = pool().reserve().get();
  auto console = vm->console().get();
  test::said(vm->agent().get(), "echo $((6*7)) > /dev/hvc0");
  BOOST_TEST(console.wait_for_timeout("42", 60s).get().ends_with("42"));
}

BOOST_AUTO_TEST_CASE(pool_05_reserve) {
  std::string first;
  {
    const auto vm = pool().reserve().get();
    first = vm->name();
    test::said(vm->agent().get(), "echo mine > /tmp/mine");
  }
  const auto other = pool().reserve().get();
  BOOST_TEST(other->name() != first);
  BOOST_TEST(!other->agent().get().exists("/tmp/mine").get());
}

BOOST_AUTO_TEST_CASE(pool_06_try_reserve) {
  auto all = std::vector<PooledVm>();
  for (std::size_t i = 0; i != kSize; ++i)
    all.push_back(pool().reserve().get());
  const auto none = pool().try_reserve();
  BOOST_TEST_REQUIRE(!none.ok());
  BOOST_TEST(none.error().code() == ErrorCode::ResourceExhausted);
  BOOST_TEST(none.error().retryable());
  promise<void> back;
  std::once_flag once;
  const auto subscription = pool().subscribe([&](const PoolEvent& event) {
    if (event.kind == PoolEvent::Kind::Available) std::call_once(once, [&] { back.set({}); });
  });
  all.clear();
  back.get_future().get();
  BOOST_TEST(pool().try_reserve().ok());
  pool().shutdown().get();
}

BOOST_AUTO_TEST_SUITE_END()
