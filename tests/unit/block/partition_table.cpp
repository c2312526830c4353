#include <backends/block/partition_table.hpp>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <tests/support/scratch_dir.hpp>

namespace capsa::block::test {
namespace {

/// The disk as a file, its partitions empty.
std::filesystem::path write_disk(const tests::ScratchDir& scratch, const PartitionTable& table) {
  const auto path = scratch.file("disk", "");
  std::filesystem::resize_file(path, table.size);
  std::fstream out(path, std::ios::in | std::ios::out | std::ios::binary);
  out.write(reinterpret_cast<const char*>(table.head.data()),
            static_cast<std::streamsize>(table.head.size()));
  out.seekp(static_cast<std::streamoff>(table.size - table.tail.size()));
  out.write(reinterpret_cast<const char*>(table.tail.data()),
            static_cast<std::streamsize>(table.tail.size()));
  return path;
}

/// What a program says; empty, and a message, where there is no such program.
std::string ask(const std::string& program, const std::string& arguments,
                const tests::ScratchDir& scratch) {
  const auto find = "PATH=$PATH:/sbin:/usr/sbin; command -v " + program + " >/dev/null";
  if (std::system(find.c_str()) != 0) {
    BOOST_TEST_MESSAGE("skipped: there is no " << program);
    return {};
  }
  const auto out = scratch.path() / "said";
  const auto command = "PATH=$PATH:/sbin:/usr/sbin; LC_ALL=C " + program + " " + arguments + " >" +
                       out.string() + " 2>&1";
  BOOST_TEST(std::system(command.c_str()) == 0);
  std::stringstream text;
  text << std::ifstream(out).rdbuf();
  return text.str();
}

}  // namespace

BOOST_AUTO_TEST_SUITE(block_partition_table)

BOOST_AUTO_TEST_CASE(partitions_lie_one_behind_the_other_between_head_and_tail) {
  const std::vector<std::uint64_t> sizes = {4096, 3 * 4096, 1 << 20};
  const auto table = make_partition_table(sizes).value();
  std::uint64_t at = table.head.size();
  BOOST_TEST(at % kPartitionUnit == 0U);
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    BOOST_TEST(table.offsets[i] == at);
    at += sizes[i];
  }
  BOOST_TEST(table.size == at + table.tail.size());
  BOOST_TEST(table.size % kPartitionUnit == 0U);
  BOOST_CHECK(make_partition_table(sizes)->head == table.head);
}

BOOST_AUTO_TEST_CASE(sgdisk_finds_nothing_wrong) {
  for (const std::size_t count : {std::size_t{1}, std::size_t{3}, kMaxPartitions}) {
    const tests::ScratchDir scratch;
    const std::vector<std::uint64_t> sizes(count, 8192);
    const auto disk = write_disk(scratch, make_partition_table(sizes).value());
    const auto verdict = ask("sgdisk", "-v " + disk.string(), scratch);
    if (verdict.empty()) return;
    BOOST_TEST(verdict.find("No problems found") != std::string::npos, verdict);
    const auto list = ask("sgdisk", "-p " + disk.string(), scratch);
    const auto last = "layer-" + std::to_string(count);
    BOOST_TEST(list.find(last) != std::string::npos, list);
  }
}

BOOST_AUTO_TEST_CASE(sfdisk_finds_nothing_wrong) {
  const tests::ScratchDir scratch;
  const std::vector<std::uint64_t> sizes = {4096, 1 << 20};
  const auto disk = write_disk(scratch, make_partition_table(sizes).value());
  const auto verdict = ask("sfdisk", "--verify " + disk.string(), scratch);
  if (verdict.empty()) return;
  BOOST_TEST(verdict.find("No errors detected") != std::string::npos, verdict);
}

BOOST_AUTO_TEST_CASE(sizes_and_numbers_that_cannot_be_are_refused) {
  const auto refused = [](const std::vector<std::uint64_t>& sizes) {
    const auto made = make_partition_table(sizes);
    return !made && made.error().code() == ErrorCode::InvalidConfig;
  };
  BOOST_TEST(refused({}));
  BOOST_TEST(refused({0}));
  BOOST_TEST(refused({4095}));
  BOOST_TEST(refused({4096, 512}));
  BOOST_TEST(refused({UINT64_MAX - 4095}));
  BOOST_TEST(refused({std::uint64_t{1} << 55, std::uint64_t{1} << 55}));
  BOOST_TEST(refused(std::vector<std::uint64_t>(kMaxPartitions + 1, 4096)));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::block::test
