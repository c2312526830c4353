#pragma once

#include <capsa/result.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace capsa::block {

/// More do not fit into the table that everybody expects, of 128 entries; and the disk that has
/// them is to be made of open files, one each.
inline constexpr std::size_t kMaxPartitions = 120;
/// What partitions begin at and are made of.
inline constexpr std::uint64_t kPartitionUnit = 4096;

/// A GUID partition table (UEFI specification 2.10, chapter 5) around partitions without gaps: what
/// stands before the first and behind the last.
struct PartitionTable {
  std::vector<std::byte> head;
  std::vector<std::byte> tail;
  std::vector<std::uint64_t> offsets;  ///< of each partition, in bytes
  std::uint64_t size = 0;              ///< of the whole disk
};

/// The table for partitions of these sizes in bytes, each a multiple of kPartitionUnit and not 0.
/// The same sizes give the same table. InvalidConfig for sizes, numbers or a sum that cannot be.
result<PartitionTable> make_partition_table(std::span<const std::uint64_t> sizes);

}  // namespace capsa::block
