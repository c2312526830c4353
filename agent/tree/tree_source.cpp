#include <fcntl.h>
#include <limits.h>
#include <unistd.h>

#include <agent/agent.pb.h>
#include <agent/codec.hpp>
#include <agent/tree/tree_source.hpp>
#include <array>
#include <cerrno>
#include <cstring>

namespace capsa::agent {

namespace {

// Half of what a Data frame takes: a piece is full once it has so much, and one more content fits.
constexpr std::size_t kContent = kMaxChunk / 2;
// Entries looked at in one read(): in the guest everybody else waits for it.
constexpr int kEntriesPerRead = 64;

// Not blocking: what has become a pipe or a terminal meanwhile must not stop us.
constexpr int kOpen = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;

TreeFailure failed(std::string doing) {
  return {TreeFailure::Kind::System, std::move(doing), errno};
}

void append(const wire::TreeRecord& record, std::string& out) {
  // Everything we put in is cut to fit: names, targets and kContent.
  static_cast<void>(append_frame(record, out));
}

void fill(wire::TreeEntry& entry, std::string_view name, const struct stat& status) {
  entry.set_name(name.data(), name.size());
  entry.set_mode(status.st_mode & 07777);
  entry.set_mtime_ns(status.st_mtim.tv_sec * 1'000'000'000LL + status.st_mtim.tv_nsec);
}

bool is_dot(const char* name) {
  return std::strcmp(name, ".") == 0 || std::strcmp(name, "..") == 0;
}

}  // namespace

TreeSource::TreeSource(std::string path, bool skip_special, TreeLimits limits)
    : path_(std::move(path)), skip_special_(skip_special), limits_(limits) {}

TreeSource::Outcome TreeSource::read(std::string& out) {
  if (!std::exchange(begun_, true))
    if (auto failure = begin(out)) return failure;
  for (int steps = 0; steps < kEntriesPerRead && out.size() < kContent && !done_; ++steps)
    if (auto failure = file_ ? read_file(out) : next_entry(out)) return failure;
  return std::nullopt;
}

TreeSource::Outcome TreeSource::begin(std::string& out) {
  struct stat status {};
  // Looked at before it is opened: to open a device may do something.
  if (::stat(path_.c_str(), &status) < 0) return failed("read " + path_);
  if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))
    return TreeFailure{TreeFailure::Kind::Unsupported,
                       path_ + " is neither a file nor a directory"};
  UniqueFd fd(::open(path_.c_str(), kOpen));
  if (!fd) return failed("open " + path_);
  return add_opened(std::move(fd), {}, out);
}

TreeSource::Outcome TreeSource::next_entry(std::string& out) {
  DIR* const dir = levels_.back().dir.get();
  errno = 0;
  const dirent* const entry = ::readdir(dir);
  if (entry == nullptr) {
    if (errno != 0) return failed("list " + path_);
    end(out);
    return std::nullopt;
  }
  const char* const name = entry->d_name;
  if (is_dot(name)) return std::nullopt;
  struct stat status {};
  if (::fstatat(::dirfd(dir), name, &status, AT_SYMLINK_NOFOLLOW) < 0) {
    // Removed meanwhile: then it is not there to be copied.
    if (errno == ENOENT) return std::nullopt;
    return failed("read " + below(name));
  }
  if (S_ISLNK(status.st_mode)) return add_symlink(::dirfd(dir), name, status, out);
  if (!S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode)) return add_special(name, out);
  UniqueFd fd(::openat(::dirfd(dir), name, kOpen | O_NOFOLLOW));
  if (!fd && errno == ENOENT) return std::nullopt;
  if (!fd) return failed("open " + below(name));
  return add_opened(std::move(fd), name, out);
}

TreeSource::Outcome TreeSource::add_opened(UniqueFd fd, std::string_view name, std::string& out) {
  struct stat status {};
  if (::fstat(fd.get(), &status) < 0) return failed("read " + below(name));
  const bool directory = S_ISDIR(status.st_mode);
  if (!directory && !S_ISREG(status.st_mode)) return add_special(name, out);
  if (directory && levels_.size() == kMaxTreeDepth)
    return TreeFailure{
        TreeFailure::Kind::Unsupported,
        below(name) + " lies more than " + std::to_string(kMaxTreeDepth) + " directories deep"};
  if (auto failure = count(directory ? stats_.directories : stats_.files)) return failure;

  wire::TreeRecord record;
  fill(directory ? *record.mutable_directory() : *record.mutable_file(), name, status);
  append(record, out);
  const std::size_t parent_length = path_.size();
  path_ = below(name);
  if (!directory) {
    file_ = std::move(fd);
    file_parent_ = parent_length;
    return std::nullopt;
  }
  UniqueDir opened(::fdopendir(fd.get()));
  if (!opened) return failed("list " + path_);
  fd.release();
  levels_.push_back({std::move(opened), parent_length});
  return std::nullopt;
}

TreeSource::Outcome TreeSource::add_symlink(int dir, const char* name, const struct stat& status,
                                            std::string& out) {
  std::array<char, PATH_MAX> target;
  const ssize_t length = ::readlinkat(dir, name, target.data(), target.size());
  if (length < 0 && errno == ENOENT) return std::nullopt;
  if (length < 0) return failed("read the link " + below(name));
  if (auto failure = count(stats_.symlinks)) return failure;
  wire::TreeRecord record;
  fill(*record.mutable_symlink(), name, status);
  record.mutable_symlink()->set_target(target.data(), static_cast<std::size_t>(length));
  append(record, out);
  return std::nullopt;
}

TreeSource::Outcome TreeSource::add_special(std::string_view name, std::string& out) {
  if (!skip_special_)
    return TreeFailure{TreeFailure::Kind::Unsupported,
                       below(name) + " is a device, pipe or socket; skip_special leaves those out"};
  if (auto failure = count(stats_.skipped)) return failure;
  wire::TreeRecord record;
  record.mutable_skipped()->set_name(name.data(), name.size());
  append(record, out);
  return std::nullopt;
}

TreeSource::Outcome TreeSource::read_file(std::string& out) {
  std::array<char, kContent> content;
  const ssize_t got = ::read(file_.get(), content.data(), content.size());
  if (got < 0 && errno == EINTR) return std::nullopt;
  if (got < 0) return failed("read " + path_);
  if (got == 0) {
    end(out);
    return std::nullopt;
  }
  stats_.bytes += static_cast<std::uint64_t>(got);
  if (stats_.bytes > limits_.bytes)
    return TreeFailure{TreeFailure::Kind::Limit,
                       path_ + " brings it above " + std::to_string(limits_.bytes) + " bytes"};
  wire::TreeRecord record;
  record.set_content(content.data(), static_cast<std::size_t>(got));
  append(record, out);
  return std::nullopt;
}

void TreeSource::end(std::string& out) {
  wire::TreeRecord record;
  record.mutable_end();
  append(record, out);
  if (file_) {
    file_.reset();
    path_.resize(file_parent_);
  } else {
    path_.resize(levels_.back().parent_length);
    levels_.pop_back();
  }
  done_ = levels_.empty();
}

TreeSource::Outcome TreeSource::count(std::uint64_t& kind) {
  if (entries_ == limits_.entries)
    return TreeFailure{TreeFailure::Kind::Limit, path_ + " brings it above " +
                                                     std::to_string(limits_.entries) +
                                                     " files, directories and links"};
  ++entries_;
  ++kind;
  return std::nullopt;
}

std::string TreeSource::below(std::string_view name) const {
  if (name.empty()) return path_;
  return path_ + (path_.ends_with('/') ? "" : "/") + std::string(name);
}

}  // namespace capsa::agent
