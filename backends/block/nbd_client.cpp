#include <algorithm>
#include <backends/block/nbd_client.hpp>
#include <bit>
#include <cerrno>
#include <cstring>
#include <utility>

namespace capsa::block {
namespace {

/// What every server takes that does not say otherwise (NBD protocol, "Block size constraints").
constexpr std::size_t kDefaultPayload = std::size_t{32} << 20;
/// The largest request that is copied where its buffers are too odd for the server. No driver that
/// we know makes such; a guest that does waits for its own memory only.
constexpr std::size_t kMaxCopy = std::size_t{1} << 20;

/// Stages of a request that is durable by a flush of its own.
enum Stage : std::uint8_t { kMain, kSync };

std::uint32_t block_size(nbd_handle* handle, int which, std::uint32_t otherwise) {
  const std::int64_t size = libnbd().get_block_size(handle, which);
  return size <= 0 || size > UINT32_MAX ? otherwise : static_cast<std::uint32_t>(size);
}

}  // namespace

NbdClient::NbdClient(Loop& loop, NbdHandle handle, bool read_only)
    : loop_(loop), handle_(std::move(handle)), self_(std::make_shared<NbdClient*>(this)) {
  ask_server(read_only);
  pump_ = std::make_unique<NbdPump>(loop_, handle_.get(), [this] { round(); });
  pump_->update();
}

NbdClient::~NbdClient() = default;  // libnbd touches no buffer once its handle is closed

void NbdClient::ask_server(bool read_only) {
  nbd_handle* const handle = handle_.get();
  // What is not known is not used: the calls give -1 then.
  // The protocol allows a minimum of up to 64 KiB.
  minimum_ = std::bit_ceil(std::min(block_size(handle, LIBNBD_SIZE_MINIMUM, 1), 65536U));
  max_payload_ = std::min<std::size_t>(block_size(handle, LIBNBD_SIZE_MAXIMUM, kDefaultPayload),
                                       kDefaultPayload);
  info_.block_size = std::max(minimum_, kSectorSize);
  max_payload_ =
      std::max<std::size_t>(max_payload_ - max_payload_ % info_.block_size, info_.block_size);
  info_.physical_block_size =
      std::max(std::bit_floor(block_size(handle, LIBNBD_SIZE_PREFERRED, 4096)), info_.block_size);
  info_.discard_alignment = info_.physical_block_size;
  info_.size = static_cast<std::uint64_t>(std::max<std::int64_t>(libnbd().get_size(handle), 0));
  info_.size -= info_.size % info_.block_size;
  info_.read_only = read_only || libnbd().is_read_only(handle) != 0;
  info_.discard = !info_.read_only && libnbd().can_trim(handle) > 0;
  info_.write_zeroes = !info_.read_only && libnbd().can_zero(handle) > 0;
  can_flush_ = libnbd().can_flush(handle) > 0;
  can_fua_ = libnbd().can_fua(handle) > 0;
}

void NbdClient::start(Request& request) {
  Request::Progress& progress = request.progress;
  progress.owner = this;
  progress.done = 0;
  progress.pieces = 0;
  progress.error = closing_ ? ESHUTDOWN : 0;
  progress.stage = kMain;
  const bool writes = request.operation == Operation::Write ||
                      request.operation == Operation::WriteZeroes ||
                      request.operation == Operation::Discard;
  if (writes && info_.read_only) progress.error = EBADF;
  started_.push_back(&request);
}

void NbdClient::submit() {
  if (busy_) return;  // the round under way issues it
  issue_all();
  if (pump_) pump_->update();
  round();
}

void NbdClient::issue_all() {
  // By index: nothing is started in here, but a request may come back for its second stage.
  for (std::size_t i = 0; i < started_.size(); ++i)
    issue(*started_[i]);
  started_.clear();
}

void NbdClient::issue(Request& request) {
  Request::Progress& progress = request.progress;
  if (!pump_ && progress.error == 0) progress.error = EIO;
  progress.next = static_cast<std::uint32_t>(issued_.size());
  issued_.push_back(&request);
  // One more than there are, so that none of them is the last while we issue.
  progress.pieces = 1;
  if (progress.error == 0) {
    if (progress.stage == kSync || request.operation == Operation::Flush) {
      // A server that knows no flush has nothing to flush.
      if (can_flush_) issue_piece(request, nullptr, 0, 0);
    } else if (request.operation == Operation::Read || request.operation == Operation::Write) {
      issue_transfer(request);
    } else if (request.operation != Operation::Nothing && request.length != 0) {
      issue_piece(request, nullptr, request.length, request.offset);
    }
  }
  piece_done(request, 0);
}

void NbdClient::issue_transfer(Request& request) {
  std::uint64_t offset = request.offset;
  const bool odd = std::any_of(request.buffers.begin(), request.buffers.end(),
                               [this](const iovec& one) { return one.iov_len % minimum_ != 0; });
  if (odd) {
    if (request.length > kMaxCopy) {
      request.progress.error = EINVAL;
      return;
    }
    auto& copy = request.progress.copy;
    copy.resize(request.length);
    if (request.operation == Operation::Write) {
      std::byte* at = copy.data();
      for (const iovec& one : request.buffers) {
        std::memcpy(at, one.iov_base, one.iov_len);
        at += one.iov_len;
      }
    }
    return issue_piece(request, copy.data(), copy.size(), offset);
  }
  for (const iovec& one : request.buffers) {
    auto* bytes = static_cast<std::byte*>(one.iov_base);
    for (std::size_t left = one.iov_len; left != 0;) {
      const std::size_t length = std::min(left, max_payload_);
      issue_piece(request, bytes, length, offset);
      bytes += length;
      offset += length;
      left -= length;
    }
  }
}

void NbdClient::issue_piece(Request& request, std::byte* bytes, std::size_t length,
                            std::uint64_t offset) {
  nbd_handle* const handle = handle_.get();
  const std::uint32_t fua = request.durable && can_fua_ ? LIBNBD_CMD_FLAG_FUA : 0U;
  const std::uint32_t keep = request.may_unmap ? 0U : LIBNBD_CMD_FLAG_NO_HOLE;
  nbd_completion_callback callback{};
  callback.callback = &NbdClient::answered;
  callback.user_data = &request;
  ++request.progress.pieces;
  std::int64_t cookie = -1;
  if (request.progress.stage == kSync) {
    cookie = libnbd().aio_flush(handle, callback, 0);
  } else {
    switch (request.operation) {
      case Operation::Nothing:
        break;
      case Operation::Read:
        cookie = libnbd().aio_pread(handle, bytes, length, offset, callback, 0);
        break;
      case Operation::Write:
        cookie = libnbd().aio_pwrite(handle, bytes, length, offset, callback, fua);
        break;
      case Operation::Flush:
        cookie = libnbd().aio_flush(handle, callback, 0);
        break;
      case Operation::Discard:
        cookie = libnbd().aio_trim(handle, length, offset, callback, 0);
        break;
      case Operation::WriteZeroes:
        cookie = libnbd().aio_zero(handle, length, offset, callback, fua | keep);
        break;
    }
  }
  if (cookie >= 0) return;
  const int failure = libnbd().get_errno();
  piece_done(request, failure != 0 ? failure : EIO);
}

/// Called by libnbd with its lock held: nothing of libnbd may be called from here.
int NbdClient::answered(void* user_data, int* error) {
  auto& request = *static_cast<Request*>(user_data);
  static_cast<NbdClient*>(request.progress.owner)->piece_done(request, *error);
  return 1;  // libnbd forgets it
}

void NbdClient::piece_done(Request& request, int error) {
  Request::Progress& progress = request.progress;
  if (progress.error == 0) progress.error = error == ENOTCONN ? EIO : error;
  if (--progress.pieces != 0) return;
  // Out of the list: the last one takes its place.
  issued_[progress.next] = issued_.back();
  issued_[progress.next]->progress.next = progress.next;
  issued_.pop_back();
  request_done(request);
}

void NbdClient::request_done(Request& request) {
  Request::Progress& progress = request.progress;
  if (!progress.copy.empty()) {
    if (request.operation == Operation::Read && progress.error == 0) {
      const std::byte* from = progress.copy.data();
      for (const iovec& one : request.buffers) {
        std::memcpy(one.iov_base, from, one.iov_len);
        from += one.iov_len;
      }
    }
    progress.copy = {};
  }
  const bool writes =
      request.operation == Operation::Write || request.operation == Operation::WriteZeroes;
  if (writes && request.durable && !can_fua_ && progress.error == 0 && progress.stage == kMain) {
    progress.stage = kSync;
    started_.push_back(&request);
    return;
  }
  finished_.push_back(&request);
}

void NbdClient::round() {
  if (busy_) return;
  busy_ = true;
  const std::weak_ptr<NbdClient*> alive = self_;
  if (pump_ && pump_->dead()) lose();
  tell();
  if (alive.expired()) return;
  issue_all();
  busy_ = false;
  if (pump_) pump_->update();
  // What needs no server, or was refused at once, is told from the loop: a guest that is quick to
  // ask again must not keep us here.
  if (finished_.empty() && !(closing_ && close_done_ && issued_.empty())) return;
  loop_.post([alive] {
    if (const auto client = alive.lock()) (*client)->round();
  });
}

/// Tells of all that has finished. We may be gone afterwards.
void NbdClient::tell() {
  const std::weak_ptr<NbdClient*> alive = self_;
  const auto finished = std::exchange(finished_, {});
  for (Request* const request : finished)
    if (client_ != nullptr) client_->completed(*request, request->progress.error);
  std::function<void()> done;
  if (closing_ && issued_.empty() && started_.empty() && finished_.empty()) {
    finish_close();
    done = std::exchange(close_done_, {});
  }
  if (!finished.empty() && client_ != nullptr) client_->completions_end();
  if (done) done();
  if (alive.expired() || lost_why_.empty()) return;
  const auto lost = std::exchange(lost_, {});
  const error why(ErrorCode::ConnectionClosed, std::exchange(lost_why_, {}));
  if (lost) lost(why);
}

/// Fails all that the server will not answer any more.
void NbdClient::lose() {
  lost_why_ = "the NBD server closed the connection";
  if (!pump_->failure().empty()) lost_why_ += ": " + pump_->failure();
  pump_.reset();
  handle_.reset();
  // libnbd has answered for what it knew; these are those it did not get to.
  for (Request* const request : std::exchange(issued_, {})) {
    request->progress.error = EIO;
    request->progress.copy = {};
    finished_.push_back(request);
  }
}

void NbdClient::close(std::function<void()> done) {
  closing_ = true;
  close_done_ = std::move(done);
  if (busy_ || !issued_.empty() || !started_.empty() || !finished_.empty()) return;
  finish_close();
  if (const auto now = std::exchange(close_done_, {})) now();
}

void NbdClient::finish_close() {
  if (!pump_) return;
  // Says goodbye where the socket takes it; the server copes without.
  if (pump_->ready()) libnbd().aio_disconnect(handle_.get(), 0);
  pump_.reset();
  handle_.reset();
}

}  // namespace capsa::block
