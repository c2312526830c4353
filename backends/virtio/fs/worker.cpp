#include <algorithm>
#include <backends/virtio/fs/guest_io.hpp>
#include <backends/virtio/fs/worker.hpp>
#include <cstring>
#include <limits>

namespace capsa::virtio::fs {
namespace {

std::vector<iovec> to_pieces(const std::vector<Segment>& segments) {
  std::vector<iovec> pieces;
  pieces.reserve(segments.size());
  for (const Segment& segment : segments)
    pieces.push_back({segment.data(), segment.size()});
  return pieces;
}

}  // namespace

void FsDevice::Worker::run(QueueIndex queue, const Chain& chain) {
  requests_.fetch_add(1, std::memory_order_relaxed);
  const std::uint32_t written = serve(chain);
  const std::lock_guard lock(mutex_);
  finished_.push_back({queue, chain.head, written});
}

std::uint32_t FsDevice::Worker::serve(const Chain& chain) {
  const std::size_t readable = chain.readable_bytes();
  const std::size_t writable = chain.writable_bytes();
  // The header decides how much is copied. It is not read again: the guest may change it meanwhile.
  fuse_in_header header{};
  request_.resize(std::min(readable, sizeof(header)));
  if (chain.copy_out(0, request_) < sizeof(header)) {
    errors_.fetch_add(1, std::memory_order_relaxed);
    return 0;
  }
  std::memcpy(&header, request_.data(), sizeof(header));
  request_.resize(std::max(sizeof(header), copied_bytes(header.opcode, readable)));
  chain.copy_out(sizeof(header), std::span(request_).subspan(sizeof(header)));

  constexpr std::size_t kAll = std::numeric_limits<std::size_t>::max();
  const std::vector<iovec> data_in = cut_pieces(to_pieces(chain.readable), request_.size(), kAll);
  // A reply's length is 32 bits wide; more room than that is of no use.
  constexpr std::size_t kMostOut = std::numeric_limits<std::int32_t>::max();
  const std::vector<iovec> data_out =
      cut_pieces(to_pieces(chain.writable), sizeof(fuse_out_header), kMostOut);
  const FuseReply reply =
      server_->handle({request_, data_in, data_out, writable >= sizeof(fuse_out_header)});
  if (!reply.header) {
    // Right for a FORGET; else there was no room to say what is wrong.
    if (writable != 0) errors_.fetch_add(1, std::memory_order_relaxed);
    return 0;
  }
  if (reply.header->error != 0) errors_.fetch_add(1, std::memory_order_relaxed);
  chain.copy_in(sizeof(fuse_out_header), reply.body);
  chain.copy_in(0, std::as_bytes(std::span(&*reply.header, 1)));
  read_bytes_.fetch_add(reply.header->len, std::memory_order_relaxed);
  written_bytes_.fetch_add(std::min<std::size_t>(readable, header.len), std::memory_order_relaxed);
  return reply.header->len;
}

std::vector<FsDevice::Worker::Finished> FsDevice::Worker::take_finished() {
  const std::lock_guard lock(mutex_);
  return std::exchange(finished_, {});
}

FsStats FsDevice::Worker::stats() const noexcept {
  return {requests_.load(std::memory_order_relaxed), errors_.load(std::memory_order_relaxed),
          read_bytes_.load(std::memory_order_relaxed),
          written_bytes_.load(std::memory_order_relaxed)};
}

}  // namespace capsa::virtio::fs
