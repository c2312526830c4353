#include <signal.h>
#include <sys/resource.h>

#include <algorithm>
#include <backends/virtio/fs/fuse_server.hpp>
#include <backends/virtio/fs/guest_io.hpp>
#include <backends/virtio/fs/operations.hpp>
#include <cerrno>
#include <new>

namespace capsa::virtio::fs {
namespace {

/// A write past RLIMIT_FSIZE raises SIGXFSZ, whose default is to end the process: a guest could do
/// that to its host. Holds the signal back on this thread and takes it away; the write then just
/// fails with EFBIG.
class FileSizeSignalGuard {
 public:
  explicit FileSizeSignalGuard(bool active) noexcept : active_(active) {
    if (!active_) return;
    sigemptyset(&signal_);
    sigaddset(&signal_, SIGXFSZ);
    active_ = pthread_sigmask(SIG_BLOCK, &signal_, &before_) == 0;
  }
  FileSizeSignalGuard(const FileSizeSignalGuard&) = delete;
  FileSizeSignalGuard& operator=(const FileSizeSignalGuard&) = delete;
  ~FileSizeSignalGuard() {
    if (!active_) return;
    const timespec at_once{};
    // Whoever blocks it on purpose finds it as it was.
    if (sigismember(&before_, SIGXFSZ) == 0) sigtimedwait(&signal_, nullptr, &at_once);
    pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }

 private:
  bool active_;
  sigset_t signal_{};
  sigset_t before_{};
};

bool has_file_size_limit() noexcept {
  rlimit limit{};
  return ::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
}

}  // namespace

result<std::unique_ptr<FuseServer>> FuseServer::create(const ShareConfig& config) {
  auto operations = Operations::create(config);
  if (!operations) return operations.error();
  return std::unique_ptr<FuseServer>(new FuseServer(std::move(*operations)));
}

FuseServer::FuseServer(std::unique_ptr<Operations> operations)
    : operations_(std::move(operations)), file_size_limited_(has_file_size_limit()) {}

FuseServer::~FuseServer() = default;

FuseReply FuseServer::handle(const FuseRequest& request) {
  const std::size_t payload = total_bytes(request.data_in);
  const std::size_t room = request.can_reply ? total_bytes(request.data_out) : 0;
  fuse_in_header header{};
  ArgReader whole(request.bytes);
  // Without its number no reply can be addressed.
  if (!whole.take(header)) return {};
  const Operations::Operation* operation = Operations::find(header.opcode);
  const bool answered = operation == nullptr || operation->answered;
  const bool needs_session = header.opcode != FUSE_INIT && header.opcode != FUSE_DESTROY;
  // What the guest cannot learn about is not begun.
  if (answered && !request.can_reply) return {};

  int error = 0;
  body_.clear();
  std::size_t read = 0;
  const Outcome<ParsedRequest> parsed =
      parse_request(request.bytes, request.bytes.size() + payload);
  if (!parsed) {
    error = parsed.error();
  } else if (operation == nullptr) {
    error = ENOSYS;
  } else if (operations_->read_only() && !operation->on_read_only) {
    error = EROFS;
  } else if (operation->reply_size > room || (needs_session && !operations_->initialized())) {
    error = EIO;
  } else {
    const FileSizeSignalGuard guard(file_size_limited_);
    Call call{parsed->header,
              parsed->args,
              request.data_in,
              request.data_out,
              std::min(payload, parsed->payload),
              room,
              body_};
    try {
      error = (operations_.get()->*operation->run)(call);
    } catch (const std::bad_alloc&) {
      error = ENOMEM;
    }
    read = call.read;
    // Each operation keeps to its room; the device relies on it here.
    if (error == 0 && body_.size() + read > room) error = EIO;
  }
  if (!answered) return {};

  if (error != 0) {
    body_.clear();
    read = 0;
  }
  FuseReply reply;
  const std::size_t length = sizeof(fuse_out_header) + body_.size() + read;
  reply.header = fuse_out_header{static_cast<std::uint32_t>(length), -error, header.unique};
  reply.body = body_.bytes();
  return reply;
}

void FuseServer::reset() {
  operations_->reset();
}

std::size_t FuseServer::open_fds() const noexcept {
  return operations_->fds().used();
}
std::size_t FuseServer::max_open_fds() const noexcept {
  return operations_->fds().limit();
}
std::size_t FuseServer::known_inodes() const noexcept {
  return operations_->inodes().size();
}
std::uint64_t FuseServer::lookups(std::uint64_t node) const noexcept {
  return operations_->inodes().lookups(node);
}
std::size_t FuseServer::open_handles() const noexcept {
  return operations_->handles().size();
}

}  // namespace capsa::virtio::fs
