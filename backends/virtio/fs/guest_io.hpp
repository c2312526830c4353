#pragma once

#include <sys/uio.h>

#include <backends/virtio/fs/outcome.hpp>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace capsa::virtio::fs {

/// Bytes of all pieces together.
std::size_t total_bytes(std::span<const iovec> pieces) noexcept;

/// The pieces without their first `skip` bytes, and of the rest at most `most`.
std::vector<iovec> cut_pieces(std::span<const iovec> pieces, std::size_t skip, std::size_t most);

/// preadv2(2) / pwritev2(2) straight to and from guest memory, as often as it takes. `pieces` is
/// used up. Gives how many bytes were moved: fewer than there are only at the end of the file or
/// where an error followed bytes that had been moved already.
Outcome<std::size_t> read_pieces(int fd, std::vector<iovec>& pieces, std::uint64_t offset);
/// `append`: each call goes to the end of the file, whatever `offset` is.
Outcome<std::size_t> write_pieces(int fd, std::vector<iovec>& pieces, std::uint64_t offset,
                                  bool append);

}  // namespace capsa::virtio::fs
