#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <backends/block/qcow2.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <cerrno>
#include <cstddef>
#include <span>
#include <vector>

// The beginning of a qcow2 file, big-endian (QEMU's docs/interop/qcow2.txt):
//
//   0   magic "QFI\xfb"     4  version     8  offset of the backing file's name, 0 where there is
//   none   20  bits of a cluster's size   24  size of the disk   36  entries of the L1 table
//   40  its offset   48  offset of the refcount table   56  its clusters
//   72  incompatible features (version 3 and later); bit 2: the data are in another file
//   96  bits of a refcount's order   100  length of the header
//
// Every cluster of the file has a refcount, in blocks of one cluster each that a table of one
// cluster names. The L1 table names tables of a cluster of 8-byte entries, one for each cluster of
// the disk; 0 where nothing is written.
namespace capsa::block {
namespace {

constexpr std::size_t kHeaderBytes = 80;
constexpr std::uint32_t kMagic = 0x514649fb;
constexpr std::uint64_t kExternalData = 1U << 2;

constexpr unsigned kClusterBits = 16;
constexpr std::uint64_t kCluster = 1U << kClusterBits;
constexpr std::uint64_t kBytesOfL1Entry = kCluster / 8 * kCluster;
constexpr std::uint64_t kRefcountTable = 1 * kCluster;
constexpr std::uint64_t kRefcountBlock = 2 * kCluster;
constexpr std::uint64_t kL1Table = 3 * kCluster;
constexpr std::uint32_t kNewHeaderBytes = 104;
constexpr unsigned kRefcountOrder = 4;  // of 16 bits
constexpr std::uint64_t kRefcountsOfBlock = kCluster / 2;

std::uint64_t big_endian(std::span<const std::byte> bytes) {
  std::uint64_t value = 0;
  for (const std::byte one : bytes)
    value = value << 8 | std::to_integer<std::uint64_t>(one);
  return value;
}

void put(std::span<std::byte> bytes, std::uint64_t value) {
  for (std::size_t i = bytes.size(); i != 0; --i, value >>= 8)
    bytes[i - 1] = static_cast<std::byte>(value & 0xff);
}

constexpr std::uint64_t pieces(std::uint64_t bytes, std::uint64_t of) {
  return (bytes + of - 1) / of;
}

constexpr std::uint64_t l1_clusters(std::uint64_t bytes) {
  return pieces(pieces(bytes, kBytesOfL1Entry) * 8, kCluster);
}
static_assert(3 + l1_clusters(kMaxQcow2Bytes) <= kRefcountsOfBlock,
              "one block has the refcounts of all clusters of an empty image");

result<void> write_at(int fd, std::uint64_t offset, std::span<const std::byte> bytes,
                      const std::string& name) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return error_from_errno(errno, "write " + name);
    bytes = bytes.subspan(static_cast<std::size_t>(n));
    offset += static_cast<std::uint64_t>(n);
  }
  return {};
}

}  // namespace

result<Qcow2Header> read_qcow2_header(const std::filesystem::path& image) {
  const std::string name = "disk " + image.string();
  // O_NONBLOCK: a FIFO without a writer would wait here.
  const UniqueFd fd(::open(image.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd) return error_from_errno(errno, "open " + name);
  std::array<std::byte, kHeaderBytes> raw{};
  const ssize_t got = ::pread(fd.get(), raw.data(), raw.size(), 0);
  if (got < 0) return error_from_errno(errno, "read " + name);
  const std::span<const std::byte> bytes(raw);
  if (got < 72 || big_endian(bytes.first(4)) != kMagic)
    return error(ErrorCode::InvalidConfig, name + ": it is not a qcow2 image");
  Qcow2Header header;
  header.version = static_cast<std::uint32_t>(big_endian(bytes.subspan(4, 4)));
  header.size = big_endian(bytes.subspan(24, 8));
  header.backing = big_endian(bytes.subspan(8, 8)) != 0;
  header.external_data =
      header.version >= 3 && (big_endian(bytes.subspan(72, 8)) & kExternalData) != 0;
  return header;
}

result<void> write_empty_qcow2(int fd, std::uint64_t bytes, const std::string& name) {
  if (bytes == 0 || bytes % 512 != 0 || bytes > kMaxQcow2Bytes)
    return error(ErrorCode::InvalidConfig,
                 name + ": " + std::to_string(bytes) + " bytes were asked for",
                 "use a multiple of 512, at most 64 TiB");
  const std::uint64_t tables = l1_clusters(bytes);
  std::array<std::byte, kNewHeaderBytes> header{};
  const auto set = [&header](std::size_t at, std::size_t length, std::uint64_t value) {
    put(std::span(header).subspan(at, length), value);
  };
  set(0, 4, kMagic);
  set(4, 4, 3);
  set(20, 4, kClusterBits);
  set(24, 8, bytes);
  set(36, 4, pieces(bytes, kBytesOfL1Entry));
  set(40, 8, kL1Table);
  set(48, 8, kRefcountTable);
  set(56, 4, 1);
  set(96, 4, kRefcountOrder);
  set(100, 4, kNewHeaderBytes);
  std::array<std::byte, 8> block{};
  put(block, kRefcountBlock);
  std::vector<std::byte> refcounts((3 + tables) * 2);
  for (std::size_t i = 1; i < refcounts.size(); i += 2)
    refcounts[i] = std::byte{1};
  // What is not written reads as zero, the end included.
  if (::ftruncate(fd, static_cast<off_t>(kL1Table + tables * kCluster)) != 0)
    return error_from_errno(errno, "write " + name);
  if (auto done = write_at(fd, kRefcountTable, block, name); !done) return done;
  if (auto done = write_at(fd, kRefcountBlock, refcounts, name); !done) return done;
  return write_at(fd, 0, header, name);
}

}  // namespace capsa::block
