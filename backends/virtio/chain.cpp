#include <algorithm>
#include <backends/virtio/queue.hpp>
#include <cstring>

namespace capsa::virtio {
namespace {

std::size_t total(const std::vector<Segment>& segments) noexcept {
  std::size_t bytes = 0;
  for (const auto& segment : segments)
    bytes += segment.size();
  return bytes;
}

/// Walks `length` bytes of `segments` from `offset` and calls copy(part of a segment, bytes done).
template <class Copy>
std::size_t walk(const std::vector<Segment>& segments, std::size_t offset, std::size_t length,
                 Copy copy) noexcept {
  std::size_t done = 0;
  for (const auto& segment : segments) {
    if (done == length) break;
    if (offset >= segment.size()) {
      offset -= segment.size();
      continue;
    }
    const auto part = segment.subspan(offset, std::min(segment.size() - offset, length - done));
    copy(part, done);
    done += part.size();
    offset = 0;
  }
  return done;
}

}  // namespace

std::size_t Chain::readable_bytes() const noexcept {
  return total(readable);
}

std::size_t Chain::writable_bytes() const noexcept {
  return total(writable);
}

std::size_t Chain::copy_out(std::size_t offset, std::span<std::byte> out) const noexcept {
  return walk(readable, offset, out.size(), [out](Segment part, std::size_t done) {
    std::memcpy(out.data() + done, part.data(), part.size());
  });
}

std::size_t Chain::copy_in(std::size_t offset, std::span<const std::byte> in) const noexcept {
  return walk(writable, offset, in.size(), [in](Segment part, std::size_t done) {
    std::memcpy(part.data(), in.data() + done, part.size());
  });
}

}  // namespace capsa::virtio
