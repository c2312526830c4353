#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <backends/block/io_ring.hpp>
#include <cerrno>
#include <chrono>
#include <string>
#include <utility>

namespace capsa::block {
namespace {

/// One full virtqueue. A batch of more is handed over in parts.
constexpr unsigned kEntries = 256;
/// Completions that the kernel keeps in place; beyond that it makes a list (IORING_FEAT_NODROP).
constexpr unsigned kCompletions = 4096;
/// Told in one turn of the loop.
constexpr unsigned kPerTurn = 256;
/// A single read or write moves less than 2 GiB (read(2)); the rest follows as a further step.
constexpr std::size_t kMaxTransfer = std::size_t{1} << 30;

error refused(int failure) {
  const bool forbidden = failure == EPERM || failure == ENOSYS || failure == EACCES;
  if (!forbidden) return error_from_errno(failure, "set up io_uring");
  return {ErrorCode::UnsupportedFeature, "io_uring is not allowed here",
          "allow io_uring_setup in the container's seccomp profile, and see the sysctl "
          "kernel.io_uring_disabled"};
}

void prepare(io_uring_sqe* sqe, const FileStep& step) {
  const auto* first = step.buffers;
  switch (step.kind) {
    case FileStep::Kind::Nothing:
      io_uring_prep_nop(sqe);
      break;
    case FileStep::Kind::Read:
      if (step.count == 1) {
        const auto length = static_cast<unsigned>(std::min(first->iov_len, kMaxTransfer));
        io_uring_prep_read(sqe, step.fd, first->iov_base, length, step.offset);
      } else {
        io_uring_prep_readv(sqe, step.fd, first, step.count, step.offset);
      }
      sqe->rw_flags = step.flags;
      break;
    case FileStep::Kind::Write:
      if (step.count == 1) {
        const auto length = static_cast<unsigned>(std::min(first->iov_len, kMaxTransfer));
        io_uring_prep_write(sqe, step.fd, first->iov_base, length, step.offset);
      } else {
        io_uring_prep_writev(sqe, step.fd, first, step.count, step.offset);
      }
      sqe->rw_flags = step.flags;
      break;
    case FileStep::Kind::Sync:
      io_uring_prep_fsync(sqe, step.fd, IORING_FSYNC_DATASYNC);
      break;
    case FileStep::Kind::Allocate:
      io_uring_prep_fallocate(sqe, step.fd, step.flags, static_cast<off_t>(step.offset),
                              static_cast<off_t>(step.length));
      break;
  }
}

}  // namespace

result<std::shared_ptr<IoRing>> IoRing::create(Loop& loop) {
  std::shared_ptr<IoRing> made(new IoRing(loop));
  // Completions are worked off when we ask for them, not by interrupting the loop's epoll_wait(2):
  // Linux 6.1. Older ones take the plain ring.
  constexpr unsigned kLazy =
      IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_TASKRUN_FLAG;
  int failure = 0;
  for (const unsigned flags : {kLazy, 0U}) {
    io_uring_params params{};
    params.flags = flags | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP;
    params.cq_entries = kCompletions;
    failure = -io_uring_queue_init_params(kEntries, &made->ring_, &params);
    if (failure != EINVAL) break;
  }
  if (failure != 0) return refused(failure);
  made->made_ = true;
  // Not the ring's own descriptor: with deferred completions polling it misses them.
  made->event_.reset(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!made->event_) return error_from_errno(errno, "make an eventfd for io_uring");
  failure = -io_uring_register_eventfd(&made->ring_, made->event_.get());
  if (failure != 0) return error_from_errno(failure, "give io_uring its eventfd");
  // By edges, which every write to an eventfd is: there is nothing to read back.
  loop.watch(made->event_.get(), EPOLLIN | EPOLLET, [ring = made.get()](std::uint32_t /*events*/) {
    const auto self = ring->shared_from_this();
    ring->ready();
  });
  made->watched_ = true;
  return made;
}

IoRing::~IoRing() {
  if (watched_) loop_.unwatch(event_.get());
  if (made_) io_uring_queue_exit(&ring_);
}

void IoRing::start(FileUser& user, Request& request, const FileStep& step) {
  request.progress.owner = &user;
  if (backlog_.empty() && enqueue(request, step)) return;
  backlog_.push_back({&request, step});
}

bool IoRing::enqueue(Request& request, const FileStep& step) {
  io_uring_sqe* sqe = io_uring_get_sqe(&ring_);
  if (sqe == nullptr) {
    // Full: the kernel takes them now. It completes nothing into our hands by that.
    io_uring_submit(&ring_);
    sqe = io_uring_get_sqe(&ring_);
    if (sqe == nullptr) return false;
  }
  prepare(sqe, step);
  io_uring_sqe_set_data(sqe, &request);
  return true;
}

/// Hands over all that waits. What the kernel does not take now it gets in the next round.
void IoRing::flush() {
  do {
    while (!backlog_.empty() && enqueue(*backlog_.front().request, backlog_.front().step))
      backlog_.pop_front();
    if (io_uring_sq_ready(&ring_) == 0) return;
    // EBUSY, EAGAIN: the kernel is short of memory, or of room for completions.
    if (io_uring_submit(&ring_) <= 0) return retry_later();
  } while (io_uring_sq_ready(&ring_) != 0 || !backlog_.empty());
}

void IoRing::submit() {
  if (busy_) return;  // the round under way ends with a flush()
  const auto self = shared_from_this();
  begin_round();
  flush();
  reap();
  end_round();
}

void IoRing::ready() {
  begin_round();
  reap();
  end_round();
}

void IoRing::begin_round() {
  busy_ = true;
  // We look ourselves: no events for what we are about to see.
  io_uring_cq_eventfd_toggle(&ring_, false);
}

void IoRing::reap() {
  std::array<io_uring_cqe*, kPerTurn> ready;
  struct Finished {
    Request* request;
    int outcome;
  };
  std::array<Finished, kPerTurn> finished;
  const unsigned count = io_uring_peek_batch_cqe(&ring_, ready.data(), kPerTurn);
  for (unsigned i = 0; i < count; ++i)
    finished[i] = {static_cast<Request*>(io_uring_cqe_get_data(ready[i])), ready[i]->res};
  // Before anyone is told: they may start more, which needs room.
  io_uring_cq_advance(&ring_, count);
  for (unsigned i = 0; i < count; ++i) {
    auto& user = *static_cast<FileUser*>(finished[i].request->progress.owner);
    touched_.add(user);
    user.finished(*finished[i].request, finished[i].outcome);
  }
}

/// Tells the users, and lets go what they start. What completes at once by that wakes the loop: a
/// guest that is quick to ask again must not keep us here.
void IoRing::end_round() {
  touched_.end_batch();
  io_uring_cq_eventfd_toggle(&ring_, true);
  // Our wish must be visible before we look for what came meanwhile: the kernel marks its work and
  // then looks at our wish.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (pending()) wake();
  flush();
  busy_ = false;
}

bool IoRing::pending() const {
  const unsigned flags = std::atomic_ref<unsigned>(*ring_.sq.kflags).load();
  return io_uring_cq_ready(&ring_) != 0 ||
         (flags & (IORING_SQ_TASKRUN | IORING_SQ_CQ_OVERFLOW)) != 0;
}

void IoRing::wake() {
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(event_.get(), &one, sizeof one);
}

void IoRing::retry_later() {
  if (std::exchange(retrying_, true)) return;
  loop_.call_after(std::chrono::milliseconds(1), [weak = weak_from_this()] {
    const auto self = weak.lock();
    if (!self) return;
    self->retrying_ = false;
    self->submit();
  });
}

void IoRing::wait_for(FileUser& user, const std::size_t& in_flight) {
  const bool outermost = !std::exchange(busy_, true);
  while (in_flight != 0) {
    flush();
    io_uring_cqe* one = nullptr;
    const int failure = io_uring_wait_cqe(&ring_, &one);
    if (failure < 0 && failure != -EINTR && failure != -EAGAIN) break;
    reap();
  }
  touched_.forget(user);
  busy_ = !outermost;
  // The others are told from the loop, not from within whatever ends here.
  if (outermost && !touched_.empty()) {
    loop_.post([weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->submit();
    });
  }
}

}  // namespace capsa::block
