#pragma once

#include <backends/block/store.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <capsa/result.hpp>
#include <filesystem>

namespace capsa::block {

/// An open raw image: a regular file or a block device, locked as long as it is open.
struct ImageFile {
  UniqueFd fd;
  StoreInfo info;
};

/// Opens an image whose bytes are the disk's. A file whose size is no multiple of 512 loses its
/// tail: the guest cannot see part of a sector, and the file stays as it is.
///
/// The lock is an open file description lock (fcntl(2), F_OFD_SETLK) on all of the file: exclusive
/// for writing, shared for reading. It keeps out every other store, and QEMU's tools, which lock a
/// part of it; not programs that do not look.
///
/// NotFound, PermissionDenied, InvalidConfig (neither file nor block device, or smaller than a
/// sector), ResourceExhausted where somebody else has it open; the message names the file.
result<ImageFile> open_image(const std::filesystem::path& path, bool read_only);

}  // namespace capsa::block
