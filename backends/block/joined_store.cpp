#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <backends/block/joined_store.hpp>
#include <cerrno>
#include <string>
#include <utility>

namespace capsa::block {
namespace {

result<UniqueFd> open_part(const std::filesystem::path& path, std::uint64_t& size) {
  UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd) return error_from_errno(errno, "open disk " + path.string());
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0)
    return error_from_errno(errno, "look at disk " + path.string());
  if (!S_ISREG(status.st_mode) || status.st_size == 0 ||
      static_cast<std::uint64_t>(status.st_size) % kPartitionUnit != 0)
    return error(ErrorCode::InvalidConfig,
                 "disk " + path.string() + ": it is not a file of whole blocks of 4096 bytes");
  size = static_cast<std::uint64_t>(status.st_size);
  return fd;
}

bool write_all(int fd, std::uint64_t offset, std::span<const std::byte> bytes) {
  return ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset)) ==
         static_cast<ssize_t>(bytes.size());
}

}  // namespace

result<std::unique_ptr<JoinedStore>> JoinedStore::open(
    const std::vector<std::filesystem::path>& files, std::shared_ptr<FileIo> io) {
  std::unique_ptr<JoinedStore> store(new JoinedStore(std::move(io)));
  std::vector<std::uint64_t> sizes;
  std::vector<UniqueFd> fds;
  for (const auto& file : files) {
    auto fd = open_part(file, sizes.emplace_back());
    if (!fd) return fd.error();
    fds.push_back(std::move(*fd));
  }
  auto table = make_partition_table(sizes);
  if (!table) return table.error();
  for (std::size_t i = 0; i < fds.size(); ++i)
    store->segments_.push_back(
        {table->offsets[i], table->offsets[i] + sizes[i], std::move(fds[i]), 0});
  if (auto added = store->add_table(*table); !added) return added.error();
  store->info_.size = table->size;
  store->info_.read_only = true;
  return store;
}

/// In memory of the kernel's, so that there is one way to read for all of the disk.
result<void> JoinedStore::add_table(const PartitionTable& table) {
  UniqueFd file(::memfd_create("capsa-table", MFD_CLOEXEC));
  if (!file || !write_all(file.get(), 0, table.head) ||
      !write_all(file.get(), table.head.size(), table.tail))
    return error_from_errno(errno, "make a partition table");
  UniqueFd again(::fcntl(file.get(), F_DUPFD_CLOEXEC, 0));
  if (!again) return error_from_errno(errno, "make a partition table");
  const std::uint64_t head = table.head.size();
  segments_.insert(segments_.begin(), {0, head, std::move(file), 0});
  segments_.push_back({table.size - table.tail.size(), table.size, std::move(again), head});
  return {};
}

JoinedStore::~JoinedStore() {
  client_ = nullptr;
  io_->wait_for(*this, in_flight_);
}

void JoinedStore::start(Request& request) {
  Request::Progress& progress = request.progress;
  progress.done = 0;
  progress.next = 0;
  progress.pieces = 0;
  progress.error = 0;
  ++in_flight_;
  const bool reads = request.operation == Operation::Read;
  const bool writes =
      !reads && request.operation != Operation::Flush && request.operation != Operation::Nothing;
  if (closing_) {
    progress.error = ESHUTDOWN;
  } else if (writes) {
    progress.error = EBADF;
  } else if (request.offset > info_.size || request.length > info_.size - request.offset) {
    progress.error = EINVAL;
  }
  start_step(request);
}

void JoinedStore::submit() {
  // Last: what it calls may end us.
  io_->submit();
}

void JoinedStore::start_step(Request& request) {
  io_->start(*this, request, next_step(request));
}

/// Where the next step of a read begins. The range was checked, so there is a segment.
const JoinedStore::Segment& JoinedStore::segment_of(const Request& request) const {
  const std::uint64_t at = request.offset + request.progress.done;
  return *std::upper_bound(segments_.begin(), segments_.end(), at,
                           [](std::uint64_t place, const Segment& one) { return place < one.end; });
}

/// As much as lies in one segment.
std::uint64_t JoinedStore::step_length(const Request& request) const {
  const std::uint64_t at = request.offset + request.progress.done;
  return std::min(request.length - request.progress.done, segment_of(request).end - at);
}

/// A buffer that reaches beyond the segment is cut short for the while; `pieces` says by how much.
FileStep JoinedStore::next_step(Request& request) {
  Request::Progress& progress = request.progress;
  FileStep step;
  if (progress.error != 0 || request.operation != Operation::Read || request.length == 0)
    return step;  // nothing: it completes in its turn
  const Segment& segment = segment_of(request);
  step.kind = FileStep::Kind::Read;
  step.fd = segment.fd.get();
  step.offset = segment.offset + (request.offset + progress.done - segment.begin);
  step.buffers = request.buffers.data() + progress.next;
  std::uint64_t left = step_length(request);
  for (std::size_t i = progress.next; left != 0 && i < request.buffers.size(); ++i) {
    iovec& buffer = request.buffers[i];
    ++step.count;
    if (buffer.iov_len > left) {
      progress.pieces = static_cast<std::uint32_t>(buffer.iov_len - left);
      buffer.iov_len = left;
    }
    left -= buffer.iov_len;
  }
  return step;
}

/// The last buffer of a step that was cut short has its length again.
void JoinedStore::mend(Request& request) {
  const std::uint32_t cut = std::exchange(request.progress.pieces, 0U);
  if (cut == 0) return;
  std::uint64_t left = step_length(request);
  std::size_t i = request.progress.next;
  while (left > request.buffers[i].iov_len)
    left -= request.buffers[i++].iov_len;
  request.buffers[i].iov_len += cut;
}

void JoinedStore::finished(Request& request, int outcome) {
  mend(request);
  if (outcome == -EINTR || outcome == -EAGAIN) return start_step(request);
  if (!moved(request, outcome)) return start_step(request);
  --in_flight_;
  if (client_ != nullptr) client_->completed(request, request.progress.error);
}

/// False where there is more to be read.
bool JoinedStore::moved(Request& request, int outcome) {
  Request::Progress& progress = request.progress;
  if (progress.error != 0 || request.operation != Operation::Read || request.length == 0)
    return true;
  if (outcome <= 0) {
    // 0: a file ends here, though it did not when we opened it.
    progress.error = outcome == 0 ? EIO : -outcome;
    return true;
  }
  progress.done += static_cast<std::uint64_t>(outcome);
  if (progress.done >= request.length) return true;
  auto left = static_cast<std::size_t>(outcome);
  while (left >= request.buffers[progress.next].iov_len)
    left -= request.buffers[progress.next++].iov_len;
  iovec& part = request.buffers[progress.next];
  part.iov_base = static_cast<std::byte*>(part.iov_base) + left;
  part.iov_len -= left;
  return false;
}

void JoinedStore::batch_end() {
  std::function<void()> done;
  if (closing_ && in_flight_ == 0) {
    segments_.clear();
    done = std::exchange(close_done_, {});
  }
  if (client_ != nullptr) client_->completions_end();
  // From here on we may be gone.
  if (done) done();
}

void JoinedStore::close(std::function<void()> done) {
  closing_ = true;
  close_done_ = std::move(done);
  if (in_flight_ != 0) return;
  segments_.clear();
  if (const auto now = std::exchange(close_done_, {})) now();
}

}  // namespace capsa::block
