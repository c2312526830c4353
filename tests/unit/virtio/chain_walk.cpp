#include <boost/test/unit_test.hpp>
#include <limits>
#include <tests/support/fake_driver.hpp>
#include <tests/support/guest_file.hpp>

using namespace capsa;
using test::FakeDriver;
using test::kRawIndirect;
using test::kRawNext;
using test::kRawWrite;
using test::RawDescriptor;

namespace {

constexpr std::uint64_t kBase = test::FakeDriverOptions{}.guest_address;

/// A driver of one queue whose descriptors the test writes itself.
struct Hostile {
  explicit Hostile(bool indirect = true)
      : driver({8}, {.indirect = indirect}), unused(driver.activation()) {}

  /// Makes `head` available and says why the queue broke; empty where it did not.
  std::string_view verdict(std::uint16_t head) {
    driver.raw_add(0, head);
    driver.publish(0);
    popped = driver.queue(0).pop();
    BOOST_TEST(popped.has_value() == !driver.queue(0).broken());
    return driver.queue(0).broken_reason();
  }
  void table(memory::GuestAddress address, const std::vector<RawDescriptor>& entries) {
    driver.memory()->write(address, std::as_bytes(std::span(entries)));
  }

  FakeDriver driver;
  virtio::Activation unused;
  std::optional<virtio::Chain> popped;
};

constexpr std::uint64_t kTable = kBase + 0x10000;

}  // namespace

BOOST_AUTO_TEST_SUITE(chain_walk)

BOOST_AUTO_TEST_CASE(a_head_out_of_range_breaks_the_queue) {
  Hostile guest;
  BOOST_TEST(guest.verdict(8) == "a head out of range");
}

BOOST_AUTO_TEST_CASE(a_next_out_of_range_breaks_the_queue) {
  Hostile guest;
  guest.driver.raw_descriptor(0, 0, {kBase, 1, kRawNext, 8});
  BOOST_TEST(guest.verdict(0) == "a next descriptor out of range");
}

BOOST_AUTO_TEST_CASE(a_chain_that_bites_its_tail_breaks_the_queue) {
  Hostile guest;
  guest.driver.raw_descriptor(0, 0, {kBase, 1, kRawNext, 3});
  guest.driver.raw_descriptor(0, 3, {kBase, 1, kRawNext, 0});
  BOOST_TEST(guest.verdict(0) == "a cyclic chain");
}

BOOST_AUTO_TEST_CASE(a_descriptor_that_follows_itself_breaks_the_queue) {
  Hostile guest;
  guest.driver.raw_descriptor(0, 2, {kBase, 1, kRawNext, 2});
  BOOST_TEST(guest.verdict(2) == "a cyclic chain");
}

BOOST_AUTO_TEST_CASE(a_chain_may_use_every_descriptor) {
  Hostile guest;
  for (std::uint16_t i = 0; i < 8; ++i) {
    guest.driver.raw_descriptor(
        0, i, {kBase, 1, i < 7 ? kRawNext : kRawWrite, static_cast<std::uint16_t>(i + 1)});
  }
  BOOST_TEST(guest.verdict(0) == "");
  BOOST_TEST(guest.popped->readable.size() == 7U);
  BOOST_TEST(guest.popped->writable.size() == 1U);
}

BOOST_AUTO_TEST_CASE(a_readable_buffer_after_a_writable_one_breaks_the_queue) {
  Hostile guest;
  guest.driver.raw_descriptor(0, 0, {kBase, 1, kRawNext | kRawWrite, 1});
  guest.driver.raw_descriptor(0, 1, {kBase, 1, 0, 0});
  BOOST_TEST(guest.verdict(0) == "a readable buffer after a writable one");
}

BOOST_AUTO_TEST_CASE(a_buffer_outside_guest_memory_breaks_the_queue) {
  const std::uint64_t end = kBase + (16 << 20);
  for (const auto& bad :
       std::vector<RawDescriptor>{{0, 1, 0, 0},
                                  {kBase - 1, 2, 0, 0},
                                  {end, 1, kRawWrite, 0},
                                  {end - 1, 2, 0, 0},
                                  {kBase, 0xffffffff, 0, 0},
                                  {std::numeric_limits<std::uint64_t>::max(), 0xffffffff, 0, 0}}) {
    Hostile guest;
    guest.driver.raw_descriptor(0, 0, bad);
    BOOST_TEST(guest.verdict(0) == "a buffer outside guest memory");
  }
}

BOOST_AUTO_TEST_CASE(an_empty_buffer_is_no_segment_whatever_its_address) {
  Hostile guest;
  guest.driver.raw_descriptor(0, 0, {0, 0, kRawNext, 1});
  guest.driver.raw_descriptor(0, 1, {kBase, 5, kRawWrite, 0});
  BOOST_TEST(guest.verdict(0) == "");
  BOOST_TEST(guest.popped->readable.empty());
  BOOST_TEST(guest.popped->writable_bytes() == 5U);
}

BOOST_AUTO_TEST_CASE(an_indirect_table_may_follow_direct_buffers_and_ignores_write) {
  Hostile guest;
  guest.driver.raw_descriptor(0, 0, {kBase, 3, kRawNext, 1});
  guest.driver.raw_descriptor(0, 1, {kTable, 32, kRawIndirect | kRawWrite, 0});
  guest.table(kTable, {{kBase, 4, kRawNext, 1}, {kBase, 5, kRawWrite, 0}});
  BOOST_TEST(guest.verdict(0) == "");
  BOOST_TEST(guest.popped->readable_bytes() == 7U);
  BOOST_TEST(guest.popped->writable_bytes() == 5U);
}

BOOST_AUTO_TEST_CASE(an_indirect_table_at_an_odd_address_is_read) {
  Hostile guest;
  guest.driver.raw_descriptor(0, 0, {kTable + 1, 16, kRawIndirect, 0});
  guest.table(kTable + 1, {{kBase, 4, 0, 0}});
  BOOST_TEST(guest.verdict(0) == "");
  BOOST_TEST(guest.popped->readable_bytes() == 4U);
}

BOOST_AUTO_TEST_CASE(an_indirect_table_that_was_not_agreed_breaks_the_queue) {
  Hostile guest(false);
  guest.driver.raw_descriptor(0, 0, {kTable, 16, kRawIndirect, 0});
  guest.table(kTable, {{kBase, 4, 0, 0}});
  BOOST_TEST(guest.verdict(0) == "an indirect table that was not agreed");
}

BOOST_AUTO_TEST_CASE(an_indirect_table_inside_another_breaks_the_queue) {
  Hostile guest;
  guest.driver.raw_descriptor(0, 0, {kTable, 16, kRawIndirect, 0});
  guest.table(kTable, {{kTable, 16, kRawIndirect, 0}});
  BOOST_TEST(guest.verdict(0) == "an indirect table inside an indirect table");
}

BOOST_AUTO_TEST_CASE(a_descriptor_both_indirect_and_continued_breaks_the_queue) {
  Hostile guest;
  guest.driver.raw_descriptor(0, 0, {kTable, 16, kRawIndirect | kRawNext, 1});
  BOOST_TEST(guest.verdict(0) == "a descriptor both indirect and continued");
}

BOOST_AUTO_TEST_CASE(an_indirect_table_of_a_broken_length_breaks_the_queue) {
  for (const std::uint32_t length : {0U, 1U, 15U, 17U, 0xffffffffU}) {
    Hostile guest;
    guest.driver.raw_descriptor(0, 0, {kTable, length, kRawIndirect, 0});
    BOOST_TEST(guest.verdict(0) == "an indirect table of a broken length");
  }
}

BOOST_AUTO_TEST_CASE(an_indirect_table_is_read_up_to_its_cap) {
  const auto entries = [](std::uint32_t count) {
    std::vector<RawDescriptor> table;
    for (std::uint32_t i = 1; i <= count; ++i) {
      table.push_back({kBase, 1, i < count ? kRawNext : kRawWrite, static_cast<std::uint16_t>(i)});
    }
    return table;
  };
  for (const std::uint32_t count : {virtio::kMaxIndirectLength, virtio::kMaxIndirectLength + 1}) {
    Hostile guest;
    guest.driver.raw_descriptor(0, 0, {kTable, 16 * count, kRawIndirect, 0});
    guest.table(kTable, entries(count));
    BOOST_TEST(guest.verdict(0) ==
               (count == virtio::kMaxIndirectLength ? "" : "an indirect table that is too long"));
  }
}

BOOST_AUTO_TEST_CASE(an_indirect_table_outside_guest_memory_breaks_the_queue) {
  Hostile guest;
  guest.driver.raw_descriptor(0, 0, {kBase + (16 << 20) - 16, 32, kRawIndirect, 0});
  BOOST_TEST(guest.verdict(0) == "an indirect table outside guest memory");
}

BOOST_AUTO_TEST_CASE(an_indirect_chain_that_bites_its_tail_breaks_the_queue) {
  Hostile guest;
  guest.driver.raw_descriptor(0, 0, {kTable, 32, kRawIndirect, 0});
  guest.table(kTable, {{kBase, 1, kRawNext, 1}, {kBase, 1, kRawNext, 0}});
  BOOST_TEST(guest.verdict(0) == "a cyclic chain");
}

BOOST_AUTO_TEST_CASE(a_next_beyond_an_indirect_table_breaks_the_queue) {
  Hostile guest;
  guest.driver.raw_descriptor(0, 0, {kTable, 16, kRawIndirect, 0});
  guest.table(kTable, {{kBase, 1, kRawNext, 1}});
  BOOST_TEST(guest.verdict(0) == "a next descriptor out of range");
}

BOOST_AUTO_TEST_CASE(a_chain_of_more_than_4_GiB_breaks_the_queue) {
  constexpr std::uint64_t kGuest = 2ULL << 30;
  FakeDriver driver({8}, {.memory_mib = kGuest >> 20});
  const auto unused = driver.activation();
  for (std::uint16_t i = 0; i < 3; ++i) {
    driver.raw_descriptor(
        0, i,
        {kBase, 1U << 31, i < 2 ? kRawNext : std::uint16_t{0}, static_cast<std::uint16_t>(i + 1)});
  }
  driver.raw_add(0, 1);
  driver.raw_add(0, 0);
  driver.publish(0);
  BOOST_TEST(driver.queue(0).pop().value().readable_bytes() == 1ULL << 32);
  BOOST_TEST(!driver.queue(0).pop().has_value());
  BOOST_TEST(driver.queue(0).broken_reason() == "a chain of more than 4 GiB");
}

BOOST_AUTO_TEST_CASE(a_buffer_over_two_adjacent_regions_becomes_two_segments) {
  const UniqueFd fd = test::make_guest_file(0x3000);
  const std::vector<memory::RegionSpec> regions{{0x1000, 0x1000, 0, 0x1000, fd.get()},
                                                {0x2000, 0x1000, 0, 0, fd.get()},
                                                {0x4000, 0x1000, 0, 0x2000, fd.get()}};
  const auto memory = memory::GuestMemory::map(regions).value();
  const virtio::QueueConfig config{
      .size = 2, .descriptors = 0x1000, .available = 0x1100, .used = 0x1200};
  auto queue = virtio::Queue::create(memory, config).value();
  memory->store(0x1000, RawDescriptor{0x1f00, 0x300, kRawWrite, 0});
  memory->store(0x1010, RawDescriptor{0x2f00, 0x101, 0, 0});
  memory->store<std::uint16_t>(0x1104, 0);
  memory->store<std::uint16_t>(0x1106, 1);
  memory->store<std::uint16_t>(0x1102, 2);
  const auto chain = queue.pop().value();
  BOOST_REQUIRE_EQUAL(chain.writable.size(), 2U);
  BOOST_TEST(chain.writable[0].size() == 0x100U);
  BOOST_TEST(chain.writable[1].size() == 0x200U);
  BOOST_TEST(chain.copy_in(0xff, test::to_bytes("xy")) == 2U);
  BOOST_TEST(memory->load<char>(0x1fff).value() == 'x');
  BOOST_TEST(memory->load<char>(0x2000).value() == 'y');
  // The third region does not begin where the second ends.
  BOOST_TEST(!queue.pop().has_value());
  BOOST_TEST(queue.broken_reason() == "a buffer outside guest memory");
}

BOOST_AUTO_TEST_SUITE_END()
