#include <algorithm>
#include <backends/block/memory_store.hpp>
#include <cerrno>
#include <cstring>
#include <utility>

namespace capsa::block {

void MemoryStore::start(Request& request) {
  request.progress.error = closed_ ? ESHUTDOWN : 0;
  started_.push_back(&request);
}

bool MemoryStore::finish(std::size_t position, int error) {
  if (position >= started_.size()) return false;
  Request& request = *started_[position];
  started_.erase(started_.begin() + static_cast<std::ptrdiff_t>(position));
  const int refused = request.progress.error;
  const int outcome = refused != 0 ? refused : error != 0 ? error : carry_out(request);
  if (client_ != nullptr) client_->completed(request, outcome);
  return true;
}

void MemoryStore::end_batch() {
  const auto done = started_.empty() ? std::exchange(close_done_, {}) : nullptr;
  if (client_ != nullptr) client_->completions_end();
  // From here on the store may be gone.
  if (done) done();
}

bool MemoryStore::finish_all() {
  const std::size_t count = started_.size();
  for (std::size_t i = 0; i < count; ++i)
    finish();
  if (count != 0) end_batch();
  return count != 0;
}

int MemoryStore::carry_out(Request& request) {
  if (request.offset > info_.size || request.length > info_.size - request.offset) return EINVAL;
  const bool writes = request.operation != Operation::Read &&
                      request.operation != Operation::Flush &&
                      request.operation != Operation::Nothing;
  if (writes && info_.read_only) return EBADF;
  std::byte* at = bytes_.data() + request.offset;
  std::uint64_t left = request.length;
  switch (request.operation) {
    case Operation::Nothing:
    case Operation::Flush:
      return 0;
    case Operation::Discard:
    case Operation::WriteZeroes:
      std::fill_n(at, left, std::byte{0});
      return 0;
    case Operation::Read:
    case Operation::Write:
      break;
  }
  for (const iovec& buffer : request.buffers) {
    if (buffer.iov_len > left) return EINVAL;
    if (request.operation == Operation::Read) {
      std::memcpy(buffer.iov_base, at, buffer.iov_len);
    } else {
      std::memcpy(at, buffer.iov_base, buffer.iov_len);
    }
    at += buffer.iov_len;
    left -= buffer.iov_len;
  }
  return left == 0 ? 0 : EINVAL;
}

void MemoryStore::close(std::function<void()> done) {
  closed_ = true;
  close_done_ = std::move(done);
  if (started_.empty()) {
    if (const auto now = std::exchange(close_done_, {})) now();
  }
}

}  // namespace capsa::block
