#include <algorithm>
#include <array>
#include <backends/block/partition_table.hpp>
#include <backends/block/store.hpp>
#include <string>
#include <string_view>

namespace capsa::block {
namespace {

constexpr std::size_t kEntries = 128;
constexpr std::size_t kEntryBytes = 128;
constexpr std::size_t kTableBytes = kEntries * kEntryBytes;
constexpr std::size_t kHeaderBytes = 92;
constexpr std::uint64_t kTableSectors = kTableBytes / kSectorSize;
// A sector of the old table, one of the header, 32 of entries; then up to the next whole unit.
constexpr std::uint64_t kHeadBytes = 5 * kPartitionUnit;
constexpr std::uint64_t kTailBytes = 5 * kPartitionUnit;
constexpr std::uint64_t kMaxDisk = std::uint64_t{1} << 56;  // far below what sums can overflow

using Guid = std::array<unsigned char, 16>;
/// "Linux filesystem data", 0FC63DAF-8483-4772-8E79-3D69D8477DE4, as it lies on a disk.
constexpr Guid kLinux = {0xaf, 0x3d, 0xc6, 0x0f, 0x83, 0x84, 0x72, 0x47,
                         0x8e, 0x79, 0x3d, 0x69, 0xd8, 0x47, 0x7d, 0xe4};
/// Random once; its last byte is the partition's number, 0 for the disk. Nobody tells disks of
/// different machines apart by it.
constexpr Guid kOwn = {0x5c, 0x1f, 0x0b, 0x93, 0x47, 0xd2, 0x6e, 0x4a,
                       0xa1, 0x38, 0x7b, 0xf0, 0x2d, 0x94, 0xc6, 0x00};

void put(std::span<std::byte> out, std::size_t offset, std::uint64_t value, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i)
    out[offset + i] = static_cast<std::byte>(value >> (8 * i));
}

void put(std::span<std::byte> out, std::size_t offset, Guid guid, std::size_t number) {
  guid.back() = static_cast<unsigned char>(guid.back() + number);
  for (std::size_t i = 0; i < guid.size(); ++i)
    out[offset + i] = static_cast<std::byte>(guid[i]);
}

/// CRC-32 of ISO 3309, as zlib has it; of 16 KiB, once a disk.
std::uint32_t crc32(std::span<const std::byte> bytes) {
  std::uint32_t crc = ~0U;
  for (const std::byte one : bytes) {
    crc ^= static_cast<std::uint32_t>(one);
    for (int bit = 0; bit < 8; ++bit)
      crc = (crc >> 1) ^ ((crc & 1U) != 0 ? 0xedb88320U : 0U);
  }
  return ~crc;
}

/// The table of before, which says that the whole disk is taken: for programs that know no other.
void put_protective(std::span<std::byte> sector, std::uint64_t sectors) {
  put(sector, 446 + 1, 0x000200, 3);  // first sector, in the geometry of old
  put(sector, 446 + 4, 0xee, 1);
  put(sector, 446 + 5, 0xffffff, 3);
  put(sector, 446 + 8, 1, 4);
  put(sector, 446 + 12, std::min<std::uint64_t>(sectors - 1, UINT32_MAX), 4);
  put(sector, 510, 0xaa55, 2);
}

struct Header {
  std::uint64_t own;    ///< its sector
  std::uint64_t other;  ///< that of its copy
  std::uint64_t table;  ///< first sector of its entries
  std::uint64_t sectors;
};

void put_header(std::span<std::byte> out, const Header& header, std::uint32_t table_crc) {
  constexpr std::string_view kSignature = "EFI PART";
  for (std::size_t i = 0; i < kSignature.size(); ++i)
    out[i] = static_cast<std::byte>(kSignature[i]);
  put(out, 8, 0x00010000, 4);
  put(out, 12, kHeaderBytes, 4);
  put(out, 24, header.own, 8);
  put(out, 32, header.other, 8);
  put(out, 40, 2 + kTableSectors, 8);                   // the first sector that may be used
  put(out, 48, header.sectors - 2 - kTableSectors, 8);  // and the last
  put(out, 56, kOwn, 0);
  put(out, 72, header.table, 8);
  put(out, 80, kEntries, 4);
  put(out, 84, kEntryBytes, 4);
  put(out, 88, table_crc, 4);
  put(out, 16, crc32(out.first(kHeaderBytes)), 4);  // while its own place is 0
}

}  // namespace

result<PartitionTable> make_partition_table(std::span<const std::uint64_t> sizes) {
  if (sizes.empty() || sizes.size() > kMaxPartitions)
    return error(ErrorCode::InvalidConfig, std::to_string(sizes.size()) +
                                               " partitions were given; 1 to " +
                                               std::to_string(kMaxPartitions) + " are possible");
  PartitionTable table;
  std::vector<std::byte> entries(kTableBytes);
  std::uint64_t at = kHeadBytes;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] == 0 || sizes[i] % kPartitionUnit != 0 || sizes[i] > kMaxDisk - at)
      return error(ErrorCode::InvalidConfig,
                   "partition " + std::to_string(i + 1) + " of " + std::to_string(sizes[i]) +
                       " bytes: a size is a multiple of 4096, and not too large");
    const auto entry = std::span(entries).subspan(i * kEntryBytes, kEntryBytes);
    put(entry, 0, kLinux, 0);
    put(entry, 16, kOwn, i + 1);
    put(entry, 32, at / kSectorSize, 8);
    put(entry, 40, (at + sizes[i]) / kSectorSize - 1, 8);
    const std::string name = "layer-" + std::to_string(i + 1);
    for (std::size_t c = 0; c < name.size(); ++c)
      put(entry, 56 + 2 * c, static_cast<unsigned char>(name[c]), 2);
    table.offsets.push_back(at);
    at += sizes[i];
  }
  table.size = at + kTailBytes;
  const std::uint64_t sectors = table.size / kSectorSize;
  const std::uint64_t last = sectors - 1;
  const std::uint64_t copy = last - kTableSectors;
  const std::uint32_t crc = crc32(entries);

  table.head.resize(kHeadBytes);
  const auto head = std::span(table.head);
  put_protective(head.first(kSectorSize), sectors);
  put_header(head.subspan(kSectorSize, kSectorSize), {1, last, 2, sectors}, crc);
  std::copy(entries.begin(), entries.end(), table.head.begin() + 2 * kSectorSize);

  table.tail.resize(kTailBytes);
  const auto tail = std::span(table.tail);
  put_header(tail.last(kSectorSize), {last, 1, copy, sectors}, crc);
  std::copy(entries.begin(), entries.end(),
            table.tail.end() - static_cast<std::ptrdiff_t>(kSectorSize + kTableBytes));
  return table;
}

}  // namespace capsa::block
