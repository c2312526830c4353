#include <linux/virtio_blk.h>

#include <algorithm>
#include <backends/virtio/block/request.hpp>
#include <bit>

namespace capsa::virtio::blk {
namespace {

static_assert(std::endian::native == std::endian::little);

struct Header {
  std::uint32_t type;
  std::uint32_t reserved;
  std::uint64_t sector;
};
static_assert(sizeof(Header) == sizeof(virtio_blk_outhdr));

/// One range of a DISCARD or WRITE_ZEROES.
struct Range {
  std::uint64_t sector;
  std::uint32_t sectors;
  std::uint32_t flags;
};
static_assert(sizeof(Range) == sizeof(virtio_blk_discard_write_zeroes));

template <class T>
std::span<std::byte> bytes_of(T& value) {
  return std::as_writable_bytes(std::span(&value, 1));
}

void refuse(GuestRequest& request, Status why) {
  request.operation = block::Operation::Nothing;
  request.answer = why;
  request.offset = 0;
  request.length = 0;
  request.buffers.clear();
  // Of a failed read nobody knows how much is there; one byte is the status.
  request.written = 1;
}

/// Sets offset and length. False where the range is not all on the disk. Nothing here wraps: the
/// sector is compared before it becomes bytes.
bool place(GuestRequest& request, const DiskTraits& disk, std::uint64_t sector,
           std::uint64_t length) {
  const std::uint64_t sectors = disk.store.size / block::kSectorSize;
  if (sector > sectors || length / block::kSectorSize > sectors - sector) return false;
  request.offset = sector * block::kSectorSize;
  request.length = length;
  return request.offset % disk.store.block_size == 0 && length % disk.store.block_size == 0;
}

/// The segments but for the first `skip` bytes, `length` bytes in all. False where they are too
/// many for a store: the driver was told fewer (seg_max).
bool take_buffers(GuestRequest& request, const std::vector<Segment>& segments, std::size_t skip,
                  std::uint64_t length) {
  for (Segment part : segments) {
    if (length == 0) break;
    if (skip >= part.size()) {
      skip -= part.size();
      continue;
    }
    part = part.subspan(skip);
    skip = 0;
    if (part.size() > length) part = part.first(length);
    if (request.buffers.size() == block::kMaxBuffers) return false;
    request.buffers.push_back({part.data(), part.size()});
    length -= part.size();
  }
  return true;
}

void transfer(const Chain& chain, const DiskTraits& disk, std::uint64_t sector, bool write,
              std::size_t readable, std::size_t writable, GuestRequest& request) {
  // Data on the other side is a driver's mistake, and what it means would be a guess.
  if ((write ? writable : readable) != 0) return refuse(request, Status::IoError);
  const std::uint64_t length = write ? readable : writable;
  if (write && disk.store.read_only) return refuse(request, Status::IoError);
  if (!place(request, disk, sector, length)) return refuse(request, Status::IoError);
  if (length == 0) return;  // on the disk, and nothing to do
  const bool taken = write ? take_buffers(request, chain.readable, sizeof(Header), length)
                           : take_buffers(request, chain.writable, 0, length);
  if (!taken) return refuse(request, Status::IoError);
  request.operation = write ? block::Operation::Write : block::Operation::Read;
  request.durable = write && disk.write_through;
  // At most 2^32-17 data bytes: a chain has no more than 2^32, and the header is among them.
  if (!write) request.written = static_cast<std::uint32_t>(length) + 1;
}

void range_operation(const Chain& chain, const DiskTraits& disk, bool discard, std::size_t readable,
                     GuestRequest& request) {
  if (!(discard ? disk.discard : disk.write_zeroes)) return refuse(request, Status::Unsupported);
  if (disk.store.read_only) return refuse(request, Status::IoError);
  if (readable == 0 || readable % sizeof(Range) != 0) return refuse(request, Status::IoError);
  // We say that one range per request is what we take (max_discard_seg, max_write_zeroes_seg).
  if (readable != sizeof(Range)) return refuse(request, Status::Unsupported);
  Range range;
  chain.copy_out(sizeof(Header), bytes_of(range));
  // 5.2.6.2: any unknown flag, and UNMAP with DISCARD, is "unsupported".
  const std::uint32_t known = discard ? 0 : VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
  if ((range.flags & ~known) != 0) return refuse(request, Status::Unsupported);
  const std::uint64_t length = std::uint64_t{range.sectors} * block::kSectorSize;
  if (length > disk.store.max_discard || !place(request, disk, range.sector, length)) {
    return refuse(request, Status::IoError);
  }
  if (length == 0) return;
  request.operation = discard ? block::Operation::Discard : block::Operation::WriteZeroes;
  request.may_unmap = range.flags != 0;
  request.durable = !discard && disk.write_through;
}

void identify(const Chain& chain, const DiskTraits& disk, std::size_t writable,
              GuestRequest& request) {
  const auto serial = std::span(disk.serial).first(std::min(kSerialBytes, writable));
  chain.copy_in(0, serial);
  // Right up to where we wrote without a gap: the status is the last byte, wherever that is.
  request.written = static_cast<std::uint32_t>(serial.size() + (writable == serial.size() ? 1 : 0));
}

}  // namespace

void parse(const Chain& chain, const DiskTraits& disk, GuestRequest& request) {
  request.operation = block::Operation::Nothing;
  request.durable = false;
  request.may_unmap = false;
  request.offset = 0;
  request.length = 0;
  request.buffers.clear();
  request.head = chain.head;
  request.status = chain.writable.empty() ? nullptr : &chain.writable.back().back();
  request.answer = Status::Ok;
  request.written = 1;

  Header header;
  if (request.status == nullptr || chain.copy_out(0, bytes_of(header)) < sizeof(header)) {
    return refuse(request, Status::IoError);
  }
  const std::size_t readable = chain.readable_bytes() - sizeof(header);
  const std::size_t writable = chain.writable_bytes() - 1;
  switch (header.type) {
    case VIRTIO_BLK_T_IN:
      return transfer(chain, disk, header.sector, false, readable, writable, request);
    case VIRTIO_BLK_T_OUT:
      return transfer(chain, disk, header.sector, true, readable, writable, request);
    case VIRTIO_BLK_T_FLUSH:
      request.operation = block::Operation::Flush;
      return;
    case VIRTIO_BLK_T_GET_ID:
      return identify(chain, disk, writable, request);
    case VIRTIO_BLK_T_DISCARD:
      return range_operation(chain, disk, true, readable, request);
    case VIRTIO_BLK_T_WRITE_ZEROES:
      return range_operation(chain, disk, false, readable, request);
    default:
      return refuse(request, Status::Unsupported);
  }
}

}  // namespace capsa::virtio::blk
