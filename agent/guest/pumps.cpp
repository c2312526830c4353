#include <sys/epoll.h>
#include <unistd.h>

#include <agent/guest/pumps.hpp>
#include <algorithm>
#include <array>
#include <cerrno>

namespace capsa::agent::guest {

namespace {

// Largest pipe an unprivileged process can make (/proc/sys/fs/pipe-max-size): when a stream
// settles, no more than this can be in it.
constexpr std::uint64_t kMaxPipe = std::uint64_t{1} << 20;
// Credit goes back in pieces of at least this, so that it does not cost a frame per write.
constexpr std::uint64_t kCreditStep = kInputWindow / 4;

constexpr std::uint32_t kReadable = EPOLLIN;
constexpr std::uint32_t kWritable = EPOLLOUT;

}  // namespace

// -- output

OutputPump::OutputPump(Reply reply, wire::Stream stream, UniqueFd fd, std::uint64_t credit,
                       std::function<void()> on_end)
    : reply_(reply),
      stream_(stream),
      fd_(std::move(fd)),
      credit_(std::min(credit, kMaxWindow)),
      on_end_(std::move(on_end)) {}

OutputPump::~OutputPump() {
  if (watched_) reply_.loop().unwatch(fd_.get());
}

void OutputPump::start() {
  if (!fd_) return;
  watched_ = true;
  reply_.loop().watch(fd_.get(), 0, [this](std::uint32_t) { on_ready(); });
  update();
}

void OutputPump::add_credit(std::uint64_t amount) {
  credit_ = std::min(credit_ + amount, kMaxWindow);
  update();
}

void OutputPump::update() {
  if (!watched_ || !fd_) return;
  const bool may_read = credit_ > 0 && reply_.has_room();
  // A settling stream that is empty never becomes readable: it must be asked.
  if (may_read && settling_) return on_ready();
  reply_.loop().rearm(fd_.get(), may_read ? kReadable : 0);
}

void OutputPump::settle() {
  if (!fd_ || settling_) return;
  settling_ = true;
  settle_left_ = kMaxPipe;
  update();
}

void OutputPump::on_ready() {
  // One read per turn, so that streams share; all that is left when settling, in chunks.
  do {
    if (!fd_ || credit_ == 0 || !reply_.has_room()) break;
    std::array<char, kMaxChunk> chunk;
    const auto length = std::min<std::uint64_t>(credit_, chunk.size());
    const ssize_t got = ::read(fd_.get(), chunk.data(), length);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0 && errno == EAGAIN && !settling_) break;
    // A terminal whose last user is gone gives EIO: its end-of-file.
    if (got <= 0) return end();
    credit_ -= static_cast<std::uint64_t>(got);
    wire::GuestFrame frame;
    frame.mutable_data()->set_stream(stream_);
    frame.mutable_data()->set_bytes(chunk.data(), static_cast<std::size_t>(got));
    reply_.send(frame);
    if (settling_) {
      settle_left_ -= std::min(settle_left_, static_cast<std::uint64_t>(got));
      if (settle_left_ == 0) return end();
    }
  } while (settling_);
  if (fd_) reply_.loop().rearm(fd_.get(), credit_ > 0 && reply_.has_room() ? kReadable : 0);
}

void OutputPump::end() {
  reply_.loop().unwatch(fd_.get());
  watched_ = false;
  fd_.reset();
  if (on_end_) std::exchange(on_end_, nullptr)();
}

// -- input

InputPump::InputPump(Reply reply, UniqueFd fd, std::function<void()> on_closed)
    : reply_(reply), fd_(std::move(fd)), on_closed_(std::move(on_closed)) {}

InputPump::~InputPump() {
  if (watched_) reply_.loop().unwatch(fd_.get());
}

void InputPump::start() {
  if (!fd_) return;
  watched_ = true;
  reply_.loop().watch(fd_.get(), 0, [this](std::uint32_t) { on_ready(); });
  give_credit(kInputWindow);
}

void InputPump::give_credit(std::uint64_t amount) {
  credit_ += amount;
  wire::GuestFrame frame;
  frame.mutable_credit()->set_stream(wire::STREAM_INPUT);
  frame.mutable_credit()->set_amount(amount);
  reply_.send(frame);
}

bool InputPump::write(const std::string& bytes) {
  if (bytes.size() > credit_ || closing_) return false;
  credit_ -= bytes.size();
  if (!fd_) return true;  // nobody reads: dropped, and the host has been told
  buffer_ += bytes;
  on_ready();
  return true;
}

void InputPump::close(std::function<std::string()> last) {
  if (!fd_ || closing_) return;
  closing_ = true;
  last_ = std::move(last);
  on_ready();
}

void InputPump::on_ready() {
  if (!fd_) return;
  while (offset_ < buffer_.size() || (closing_ && last_)) {
    if (offset_ == buffer_.size()) {
      // Asked for only now: it depends on what the terminal has been given.
      buffer_ = std::exchange(last_, nullptr)();
      offset_ = 0;
      continue;
    }
    const ssize_t put = ::write(fd_.get(), buffer_.data() + offset_, buffer_.size() - offset_);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0 && errno == EAGAIN) break;
    if (put < 0) return drop();
    offset_ += static_cast<std::size_t>(put);
  }
  if (offset_ == buffer_.size()) {
    buffer_.clear();
    offset_ = 0;
    if (closing_) {
      reply_.loop().unwatch(fd_.get());
      watched_ = false;
      fd_.reset();
      return;
    }
  } else if (offset_ >= kMaxChunk) {
    buffer_.erase(0, offset_);
    offset_ = 0;
  }
  reply_.loop().rearm(fd_.get(), buffer_.empty() ? 0 : kWritable);
  const std::uint64_t held = buffer_.size() - offset_;
  if (!closing_ && kInputWindow - held - credit_ >= kCreditStep)
    give_credit(kInputWindow - held - credit_);
}

void InputPump::drop() {
  reply_.loop().unwatch(fd_.get());
  watched_ = false;
  fd_.reset();
  buffer_.clear();
  offset_ = 0;
  wire::GuestFrame frame;
  frame.mutable_input_closed();
  reply_.send(frame);
  if (on_closed_) std::exchange(on_closed_, nullptr)();
}

}  // namespace capsa::agent::guest
