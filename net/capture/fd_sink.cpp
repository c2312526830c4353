#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <net/capture/fd_sink.hpp>

namespace capsa::net {

FdSink::FdSink(UniqueFd fd, std::size_t buffer_bytes)
    : fd_(std::move(fd)), capacity_(buffer_bytes) {
  buffer_.reserve(capacity_);
  const int flags = ::fcntl(fd_.get(), F_GETFL);
  if (flags >= 0) ::fcntl(fd_.get(), F_SETFL, flags | O_NONBLOCK);
}

FdSink::~FdSink() {
  flush();
}

bool FdSink::write(std::span<const std::byte> bytes) {
  if (error_) return false;
  // Few large writes: not before the buffer is full.
  if (bytes.size() > capacity_ - buffer_.size()) flush();
  if (bytes.size() > capacity_ - buffer_.size() && first_ > 0) {
    buffer_.erase(buffer_.begin(), buffer_.begin() + static_cast<std::ptrdiff_t>(first_));
    first_ = 0;
  }
  if (error_ || bytes.size() > capacity_ - buffer_.size()) return false;
  buffer_.insert(buffer_.end(), bytes.begin(), bytes.end());
  return true;
}

bool FdSink::flush() {
  while (first_ < buffer_.size() && !error_) {
    const ssize_t count = ::write(fd_.get(), buffer_.data() + first_, buffer_.size() - first_);
    if (count >= 0) {
      first_ += static_cast<std::size_t>(count);
    } else if (errno == EAGAIN) {
      return false;
    } else if (errno != EINTR) {
      error_ = error_from_errno(errno, "write a capture");
    }
  }
  // After an error nothing is of use any more.
  buffer_.clear();
  first_ = 0;
  return !error_;
}

}  // namespace capsa::net
