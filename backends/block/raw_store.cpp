#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <backends/block/raw_store.hpp>
#include <cerrno>
#include <utility>

namespace capsa::block {
namespace {

/// What a request is at; most have one stage only.
enum Stage : std::uint8_t { kMain, kWriteZeroes, kSync };

/// For WriteZeroes by writing: the same bytes again and again. Never written to.
constexpr std::size_t kZeroBytes = 64 * 1024;
constexpr std::size_t kZeroPieces = 16;

const std::array<iovec, kZeroPieces>& zero_buffers() {
  static std::byte zeroes[kZeroBytes];
  static const auto buffers = [] {
    std::array<iovec, kZeroPieces> all;
    all.fill({zeroes, kZeroBytes});
    return all;
  }();
  return buffers;
}

}  // namespace

result<std::unique_ptr<RawStore>> RawStore::open(const std::filesystem::path& path, bool read_only,
                                                 std::shared_ptr<FileIo> io) {
  auto image = open_image(path, read_only);
  if (!image) return image.error();
  return std::unique_ptr<RawStore>(new RawStore(std::move(*image), std::move(io)));
}

RawStore::RawStore(ImageFile image, std::shared_ptr<FileIo> io)
    : image_(std::move(image)), io_(std::move(io)) {}

RawStore::~RawStore() {
  client_ = nullptr;
  io_->wait_for(*this, in_flight_);
}

void RawStore::start(Request& request) {
  Request::Progress& progress = request.progress;
  progress.done = 0;
  progress.next = 0;
  progress.error = 0;
  progress.stage = kMain;
  ++in_flight_;
  const bool writes = request.operation == Operation::Write ||
                      request.operation == Operation::WriteZeroes ||
                      request.operation == Operation::Discard;
  const StoreInfo& info = image_.info;
  if (closing_) {
    progress.error = ESHUTDOWN;
  } else if (writes && info.read_only) {
    progress.error = EBADF;
  } else if (request.offset > info.size || request.length > info.size - request.offset) {
    progress.error = EINVAL;
  }
  start_step(request);
}

void RawStore::submit() {
  // Last: what it calls may end us.
  io_->submit();
}

void RawStore::start_step(Request& request) {
  io_->start(*this, request, next_step(request));
}

FileStep RawStore::next_step(Request& request) {
  const Request::Progress& progress = request.progress;
  FileStep step;
  step.fd = image_.fd.get();
  if (progress.error != 0) return step;  // nothing: it fails in its turn
  step.offset = request.offset + progress.done;
  step.length = request.length - progress.done;
  if (progress.stage == kSync) {
    step.kind = FileStep::Kind::Sync;
    return step;
  }
  switch (request.operation) {
    case Operation::Nothing:
      break;
    case Operation::Read:
    case Operation::Write:
      step.kind =
          request.operation == Operation::Read ? FileStep::Kind::Read : FileStep::Kind::Write;
      step.buffers = request.buffers.data() + progress.next;
      step.count = static_cast<std::uint32_t>(request.buffers.size() - progress.next);
      step.flags = request.durable ? RWF_DSYNC : 0;
      break;
    case Operation::Flush:
      step.kind = FileStep::Kind::Sync;
      break;
    case Operation::Discard:
      step.kind = FileStep::Kind::Allocate;
      step.flags = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
      break;
    case Operation::WriteZeroes:
      if (progress.stage == kMain && !zeroes_by_writing_) {
        const bool punch = request.may_unmap && image_.info.discard;
        step.kind = FileStep::Kind::Allocate;
        step.flags = (punch ? FALLOC_FL_PUNCH_HOLE : FALLOC_FL_ZERO_RANGE) | FALLOC_FL_KEEP_SIZE;
        break;
      }
      request.progress.stage = kWriteZeroes;
      // The whole pieces first, then the rest of one.
      step.kind = FileStep::Kind::Write;
      step.count = static_cast<std::uint32_t>(
          std::min<std::uint64_t>(step.length / kZeroBytes, kZeroPieces));
      step.buffers = zero_buffers().data();
      if (step.count == 0) {
        request.buffers.assign(1, {zero_buffers()[0].iov_base, step.length});
        step.buffers = request.buffers.data();
        step.count = 1;
      }
      break;
  }
  return step;
}

void RawStore::finished(Request& request, int outcome) {
  if (outcome == -EINTR || outcome == -EAGAIN) return start_step(request);
  if (!step_done(request, outcome)) return start_step(request);
  --in_flight_;
  if (client_ != nullptr) client_->completed(request, request.progress.error);
}

/// False where there is a further step.
bool RawStore::step_done(Request& request, int outcome) {
  Request::Progress& progress = request.progress;
  if (progress.error != 0) return true;
  if (progress.stage == kMain && request.operation == Operation::WriteZeroes) {
    return zeroed(request, outcome);
  }
  if (outcome < 0) {
    progress.error = -outcome;
    return true;
  }
  if (progress.stage == kSync) return true;
  if (progress.stage == kWriteZeroes || request.operation == Operation::Read ||
      request.operation == Operation::Write) {
    return moved(request, outcome);
  }
  return true;
}

bool RawStore::zeroed(Request& request, int outcome) {
  if (outcome == -EOPNOTSUPP) {
    zeroes_by_writing_ = true;
    return false;
  }
  request.progress.error = -outcome;
  if (outcome < 0 || !request.durable) return true;
  request.progress.stage = kSync;
  return false;
}

/// Counts what a read or write moved, which may be less than was asked for.
bool RawStore::moved(Request& request, int outcome) {
  Request::Progress& progress = request.progress;
  if (outcome == 0) {
    // The file ends here, though it did not when we opened it.
    progress.error = EIO;
    return true;
  }
  progress.done += static_cast<std::uint64_t>(outcome);
  if (progress.done >= request.length) {
    if (progress.stage != kWriteZeroes || !request.durable) return true;
    progress.stage = kSync;
    return false;
  }
  if (progress.stage == kWriteZeroes) return false;
  auto left = static_cast<std::size_t>(outcome);
  while (left >= request.buffers[progress.next].iov_len)
    left -= request.buffers[progress.next++].iov_len;
  iovec& part = request.buffers[progress.next];
  part.iov_base = static_cast<std::byte*>(part.iov_base) + left;
  part.iov_len -= left;
  return false;
}

void RawStore::batch_end() {
  std::function<void()> done;
  if (closing_ && in_flight_ == 0) {
    image_.fd.reset();
    done = std::exchange(close_done_, {});
  }
  if (client_ != nullptr) client_->completions_end();
  // From here on we may be gone.
  if (done) done();
}

void RawStore::close(std::function<void()> done) {
  closing_ = true;
  close_done_ = std::move(done);
  if (in_flight_ != 0) return;
  image_.fd.reset();
  if (const auto now = std::exchange(close_done_, {})) now();
}

}  // namespace capsa::block
