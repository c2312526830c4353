#include <limits.h>

#include <algorithm>
#include <backends/virtio/fs/guest_io.hpp>
#include <cerrno>

namespace capsa::virtio::fs {
namespace {

/// Drops the first bytes of `pieces` from `first` on; gives the piece to go on with.
std::size_t advance(std::vector<iovec>& pieces, std::size_t first, std::size_t bytes) noexcept {
  while (first < pieces.size() && bytes >= pieces[first].iov_len) {
    bytes -= pieces[first++].iov_len;
  }
  if (first < pieces.size()) {
    pieces[first].iov_base = static_cast<std::byte*>(pieces[first].iov_base) + bytes;
    pieces[first].iov_len -= bytes;
  }
  return first;
}

template <class Move>
Outcome<std::size_t> move_all(std::vector<iovec>& pieces, Move move) {
  std::size_t moved = 0;
  std::size_t first = advance(pieces, 0, 0);
  while (first < pieces.size()) {
    // A guest's chain may have more pieces than one call takes.
    const auto count = static_cast<int>(std::min<std::size_t>(pieces.size() - first, IOV_MAX));
    const ssize_t step = move(pieces.data() + first, count, moved);
    if (step < 0 && errno == EINTR) continue;
    if (step < 0 && moved == 0) return Errno{errno};
    if (step <= 0) break;
    moved += static_cast<std::size_t>(step);
    first = advance(pieces, first, static_cast<std::size_t>(step));
  }
  return moved;
}

}  // namespace

std::size_t total_bytes(std::span<const iovec> pieces) noexcept {
  std::size_t total = 0;
  for (const iovec& piece : pieces)
    total += piece.iov_len;
  return total;
}

std::vector<iovec> cut_pieces(std::span<const iovec> pieces, std::size_t skip, std::size_t most) {
  std::vector<iovec> cut;
  for (const iovec& piece : pieces) {
    const std::size_t skipped = std::min(skip, piece.iov_len);
    skip -= skipped;
    const std::size_t length = std::min(piece.iov_len - skipped, most);
    most -= length;
    if (length != 0) cut.push_back({static_cast<std::byte*>(piece.iov_base) + skipped, length});
  }
  return cut;
}

Outcome<std::size_t> read_pieces(int fd, std::vector<iovec>& pieces, std::uint64_t offset) {
  return move_all(pieces, [&](const iovec* from, int count, std::size_t moved) {
    return ::preadv(fd, from, count, static_cast<off_t>(offset + moved));
  });
}

Outcome<std::size_t> write_pieces(int fd, std::vector<iovec>& pieces, std::uint64_t offset,
                                  bool append) {
  const int flags = append ? RWF_APPEND : 0;
  return move_all(pieces, [&](const iovec* from, int count, std::size_t moved) {
    return ::pwritev2(fd, from, count, static_cast<off_t>(offset + moved), flags);
  });
}

}  // namespace capsa::virtio::fs
