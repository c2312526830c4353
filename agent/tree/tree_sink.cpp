#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <agent/agent.pb.h>
#include <agent/tree/paths.hpp>
#include <agent/tree/tree_sink.hpp>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <utility>

namespace capsa::agent {

namespace {

constexpr std::size_t kMaxName = 255;  // NAME_MAX of every file system of Linux
// So many names that are taken are the leftovers of nobody: something else is wrong.
constexpr int kTries = 100;

TreeFailure failed(std::string doing) {
  return {TreeFailure::Kind::System, std::move(doing), errno};
}

TreeFailure malformed(std::string what) {
  return {TreeFailure::Kind::Malformed, std::move(what)};
}

bool is_name(const std::string& name) {
  return !name.empty() && name.size() <= kMaxName && name != "." && name != ".." &&
         name.find_first_of(std::string("/\0", 2)) == std::string::npos;
}

/// Of one piece of work of this process; who makes it tries another where it is taken.
std::string temporary_name() {
  static std::atomic<unsigned> count{0};
  return ".capsa-copy-" + std::to_string(::getpid()) + "-" + std::to_string(++count);
}

/// Calls `make(name)` until the name was free. 0 or errno.
template <class Make>
int with_temporary(std::string& name, Make make) {
  for (int tries = 0; tries < kTries; ++tries) {
    name = temporary_name();
    if (make(name.c_str())) return 0;
    if (errno != EEXIST) break;
  }
  return errno;
}

std::array<timespec, 2> times(std::int64_t mtime_ns) {
  constexpr std::int64_t kSecond = 1'000'000'000;
  timespec at{};
  at.tv_sec = mtime_ns / kSecond;
  at.tv_nsec = mtime_ns % kSecond;
  if (at.tv_nsec < 0) {
    at.tv_nsec += kSecond;
    --at.tv_sec;
  }
  return {timespec{0, UTIME_OMIT}, at};
}

std::string without_end_slashes(std::string path) {
  while (path.size() > 1 && path.back() == '/')
    path.pop_back();
  return path;
}

}  // namespace

TreeSink::TreeSink(std::string path, TreeLimits limits)
    : path_(without_end_slashes(std::move(path))), limits_(limits) {}

TreeSink::~TreeSink() {
  if (file_) ::unlinkat(innermost(), file_->temporary.c_str(), 0);
}

TreeSink::Outcome TreeSink::feed(std::span<const std::byte> bytes) {
  std::span<const std::byte> frame;
  wire::TreeRecord record;
  for (;;) {
    switch (splitter_.take(bytes, frame)) {
      case FrameSplitter::Step::NeedMore:
        return std::nullopt;
      case FrameSplitter::Step::Broken:
        return malformed("a record above 1 MiB");
      case FrameSplitter::Step::Frame:
        if (!parse_frame(frame, record)) return malformed("a record that cannot be parsed");
        if (auto failure = on_record(record)) return failure;
    }
  }
}

TreeSink::Outcome TreeSink::finish() const {
  if (!done_) return malformed("the tree ends in its middle");
  return std::nullopt;
}

TreeSink::Outcome TreeSink::on_record(const wire::TreeRecord& record) {
  if (done_) return malformed("something behind the end of the tree");
  switch (record.body_case()) {
    case wire::TreeRecord::kDirectory:
      if (auto failure = check_entry(record.directory(), true)) return failure;
      return open_directory(record.directory());
    case wire::TreeRecord::kFile:
      if (auto failure = check_entry(record.file(), true)) return failure;
      return open_file(record.file());
    case wire::TreeRecord::kSymlink:
      if (auto failure = check_entry(record.symlink(), false)) return failure;
      return make_symlink(record.symlink());
    case wire::TreeRecord::kSkipped:
      if (auto failure = check_entry(record.skipped(), false)) return failure;
      return count(stats_.skipped);
    case wire::TreeRecord::kContent:
      return write(record.content());
    case wire::TreeRecord::kEnd:
      return file_ ? end_file() : end_directory();
    default:
      return malformed("a record of an unknown kind");
  }
}

TreeSink::Outcome TreeSink::check_entry(const wire::TreeEntry& entry, bool may_be_first) {
  if (file_) return malformed("an entry inside the file " + below(file_->name));
  if (std::exchange(begun_, true)) {
    if (!is_name(entry.name())) return malformed("\"" + entry.name() + "\" is no name of a file");
  } else if (!may_be_first || !entry.name().empty()) {
    return malformed("the tree begins with what is neither a file nor a directory");
  }
  return std::nullopt;
}

// -- directories

TreeSink::Outcome TreeSink::open_directory(const wire::TreeEntry& entry) {
  if (auto failure = count(stats_.directories)) return failure;
  if (levels_.empty()) return open_first_directory(entry);
  const auto path = below(entry.name());
  if (levels_.size() == kMaxTreeDepth)
    return TreeFailure{
        TreeFailure::Kind::Unsupported,
        path + " lies more than " + std::to_string(kMaxTreeDepth) + " directories deep"};
  const bool made = ::mkdirat(innermost(), entry.name().c_str(), 0700) == 0;
  if (!made && errno != EEXIST) return failed("make the directory " + path);
  UniqueFd dir(
      ::openat(innermost(), entry.name().c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!dir) return failed("make the directory " + path);
  levels_.push_back({std::move(dir), path_.size(), made, entry.mode(), entry.mtime_ns()});
  path_ = path;
  return std::nullopt;
}

TreeSink::Outcome TreeSink::open_first_directory(const wire::TreeEntry& entry) {
  // The caller named it: what its path goes through is followed.
  if (const int failure = make_dir(parent_of(path_), true, 0755); failure != 0)
    return TreeFailure{TreeFailure::Kind::System, "make the directory " + parent_of(path_),
                       failure};
  const bool made = ::mkdir(path_.c_str(), 0700) == 0;
  if (!made && errno != EEXIST) return failed("make the directory " + path_);
  UniqueFd dir(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!dir) return failed("make the directory " + path_);
  levels_.push_back({std::move(dir), path_.size(), made, entry.mode(), entry.mtime_ns()});
  return std::nullopt;
}

TreeSink::Outcome TreeSink::end_directory() {
  if (levels_.empty()) return malformed("an end of nothing");
  // Only now: what was made in it has changed its time, and its mode may forbid to make anything.
  const auto& level = levels_.back();
  if (level.made && (::fchmod(level.dir.get(), level.mode & 01777) < 0 ||
                     ::futimens(level.dir.get(), times(level.mtime_ns).data()) < 0))
    return failed("set the permissions of " + path_);
  path_.resize(level.parent_length);
  levels_.pop_back();
  done_ = levels_.empty();
  return std::nullopt;
}

// -- files and links

TreeSink::Outcome TreeSink::open_file(const wire::TreeEntry& entry) {
  if (auto failure = count(stats_.files)) return failure;
  File file;
  file.name = entry.name();
  file.mode = entry.mode();
  file.mtime_ns = entry.mtime_ns();
  if (levels_.empty()) {
    const auto parent = parent_of(path_);
    const auto slash = path_.find_last_of('/');
    file.name = slash == std::string::npos ? path_ : path_.substr(slash + 1);
    if (!is_name(file.name))
      return TreeFailure{TreeFailure::Kind::System, "write " + path_, EISDIR};
    if (const int failure = make_dir(parent, true, 0755); failure != 0)
      return TreeFailure{TreeFailure::Kind::System, "make the directory " + parent, failure};
    above_.reset(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!above_) return failed("open the directory " + parent);
    path_ = parent;
  }
  const int failure = with_temporary(file.temporary, [&](const char* name) {
    file.fd.reset(
        ::openat(innermost(), name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    return static_cast<bool>(file.fd);
  });
  if (failure != 0)
    return TreeFailure{TreeFailure::Kind::System, "write " + below(file.name), failure};
  file_ = std::move(file);
  return std::nullopt;
}

TreeSink::Outcome TreeSink::write(const std::string& content) {
  if (!file_ || content.empty()) return malformed("content outside of a file, or none");
  stats_.bytes += content.size();
  if (stats_.bytes > limits_.bytes)
    return TreeFailure{TreeFailure::Kind::Limit, below(file_->name) + " brings it above " +
                                                     std::to_string(limits_.bytes) + " bytes"};
  for (std::size_t done = 0; done < content.size();) {
    const ssize_t put = ::write(file_->fd.get(), content.data() + done, content.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) return failed("write " + below(file_->name));
    done += static_cast<std::size_t>(put);
  }
  return std::nullopt;
}

TreeSink::Outcome TreeSink::end_file() {
  if (::fchmod(file_->fd.get(), file_->mode & 0777) < 0 ||
      ::futimens(file_->fd.get(), times(file_->mtime_ns).data()) < 0)
    return failed("set the permissions of " + below(file_->name));
  if (::renameat(innermost(), file_->temporary.c_str(), innermost(), file_->name.c_str()) < 0)
    return failed("write " + below(file_->name));
  file_.reset();
  done_ = levels_.empty();
  return std::nullopt;
}

TreeSink::Outcome TreeSink::make_symlink(const wire::TreeEntry& entry) {
  if (auto failure = count(stats_.symlinks)) return failure;
  const auto doing = "make the link " + below(entry.name());
  if (entry.target().find('\0') != std::string::npos)
    return malformed(below(entry.name()) + " points to what is no path");
  // As with files: one that is there is replaced in one step.
  std::string temporary;
  const int failure = with_temporary(temporary, [&](const char* name) {
    return ::symlinkat(entry.target().c_str(), innermost(), name) == 0;
  });
  if (failure != 0) return TreeFailure{TreeFailure::Kind::System, doing, failure};
  if (::utimensat(innermost(), temporary.c_str(), times(entry.mtime_ns()).data(),
                  AT_SYMLINK_NOFOLLOW) == 0 &&
      ::renameat(innermost(), temporary.c_str(), innermost(), entry.name().c_str()) == 0)
    return std::nullopt;
  auto why = failed(doing);
  ::unlinkat(innermost(), temporary.c_str(), 0);
  return why;
}

TreeSink::Outcome TreeSink::count(std::uint64_t& kind) {
  if (entries_ == limits_.entries)
    return TreeFailure{TreeFailure::Kind::Limit, path_ + " brings it above " +
                                                     std::to_string(limits_.entries) +
                                                     " files, directories and links"};
  ++entries_;
  ++kind;
  return std::nullopt;
}

int TreeSink::innermost() const {
  return levels_.empty() ? above_.get() : levels_.back().dir.get();
}

std::string TreeSink::below(const std::string& name) const {
  return path_ + (path_.ends_with('/') ? "" : "/") + name;
}

}  // namespace capsa::agent
