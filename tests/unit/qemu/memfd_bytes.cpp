#include <sys/mman.h>
#include <unistd.h>

#include <backends/qemu/memfd_bytes.hpp>
#include <boost/test/unit_test.hpp>
#include <capsa/detail/unique_fd.hpp>

using capsa::ErrorCode;
using capsa::UniqueFd;
using capsa::qemu::memfd_bytes;

namespace {

constexpr const char* kName = "capsa-test-memfd";

UniqueFd memfd(const char* name, std::size_t written) {
  UniqueFd fd(::memfd_create(name, MFD_CLOEXEC));
  BOOST_REQUIRE(fd);
  BOOST_REQUIRE(::ftruncate(fd.get(), 64 << 20) == 0);
  const std::string bytes(written, 'x');
  BOOST_REQUIRE(::pwrite(fd.get(), bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(written));
  return fd;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(bytes_of_a_memfd)

BOOST_AUTO_TEST_CASE(are_those_that_were_written_of_every_one_of_its_name_once) {
  const auto first = memfd(kName, 40960);
  BOOST_TEST(memfd_bytes(::getpid(), kName).value() == 40960U);
  const auto other = memfd("capsa-test-memfd2", 8192);
  const UniqueFd again(::dup(first.get()));
  BOOST_TEST(memfd_bytes(::getpid(), kName).value() == 40960U);
  const auto second = memfd(kName, 4096);
  BOOST_TEST(memfd_bytes(::getpid(), kName).value() == 45056U);
}

BOOST_AUTO_TEST_CASE(of_a_process_that_has_none_or_is_gone_are_not_told) {
  BOOST_CHECK(memfd_bytes(::getpid(), "none-of-this-name").error().code() == ErrorCode::NotRunning);
  // No process has the number 0.
  BOOST_CHECK(memfd_bytes(0, kName).error().code() == ErrorCode::NotRunning);
}

BOOST_AUTO_TEST_SUITE_END()
