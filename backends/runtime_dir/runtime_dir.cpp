#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <backends/runtime_dir/private_directory.hpp>
#include <backends/runtime_dir/process_identity.hpp>
#include <backends/runtime_dir/runtime_dir.hpp>
#include <cerrno>
#include <cstdlib>

namespace capsa {
namespace {

// More than enough for what VMs are called, and short enough that a socket in the directory stays
// below the 107 bytes of sockaddr_un(7) under the usual bases.
constexpr std::size_t kMaxVmId = 64;

// Several copies of this library may live in one process, so a taken number is not an error.
constexpr unsigned kMaxTries = 1000;

bool is_usable_id(std::string_view id) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '_' || c == '-';
  };
  return !id.empty() && id.size() <= kMaxVmId && id.front() != '.' &&
         std::all_of(id.begin(), id.end(), allowed);
}

std::string vm_name(std::string_view id) {
  return "vm-" + std::string(id);
}

}  // namespace

std::filesystem::path runtime_base() {
  if (const char* named = std::getenv("XDG_RUNTIME_DIR"); named != nullptr && *named == '/') {
    struct stat what {};
    if (::stat(named, &what) == 0 && S_ISDIR(what.st_mode) && what.st_uid == ::geteuid() &&
        (what.st_mode & 0022) == 0)
      return std::filesystem::path(named) / "capsa";
  }
  return "/tmp/capsa-" + std::to_string(::geteuid());
}

result<RuntimeDir> RuntimeDir::create_in(const std::filesystem::path& base) {
  auto opened = open_private_directory(base);
  if (!opened) return opened.error();
  UniqueFd base_fd = std::move(*opened);
  // Held until our own lock is taken: whoever cleans holds it too, and so never sees a directory
  // that is new and not locked yet.
  auto base_lock = lock_file(base_fd.get(), ".lock", true);
  if (!base_lock) return base_lock.error();

  static std::atomic<unsigned> sequence{0};
  const ProcessIdentity self = own_identity();
  for (unsigned tries = 0; tries < kMaxTries; ++tries) {
    const std::string name = std::to_string(self.pid) + "-" + std::to_string(self.start_time) +
                             "-" + std::to_string(sequence.fetch_add(1));
    if (::mkdirat(base_fd.get(), name.c_str(), 0700) != 0) {
      if (errno == EEXIST) continue;
      return error_from_errno(errno, "create " + (base / name).string());
    }
    UniqueFd directory(
        ::openat(base_fd.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
    if (!directory) return error_from_errno(errno, "open " + (base / name).string());
    auto lock = lock_file(directory.get(), "lock", false);
    if (!lock) return lock.error();
    return RuntimeDir(base / name, std::move(base_fd), std::move(directory), std::move(*lock));
  }
  return error(ErrorCode::ResourceExhausted, "no free name in " + base.string());
}

RuntimeDir::RuntimeDir(std::filesystem::path path, UniqueFd base, UniqueFd directory, UniqueFd lock)
    : path_(std::move(path)),
      base_(std::move(base)),
      directory_(std::move(directory)),
      lock_(std::move(lock)),
      owner_(::getpid()) {}

RuntimeDir& RuntimeDir::operator=(RuntimeDir&& other) noexcept {
  if (this != &other) {
    remove();
    path_ = std::move(other.path_);
    base_ = std::move(other.base_);
    directory_ = std::move(other.directory_);
    lock_ = std::move(other.lock_);
    owner_ = other.owner_;
  }
  return *this;
}

RuntimeDir::~RuntimeDir() {
  remove();
}

void RuntimeDir::remove() noexcept {
  // A forked child runs destructors of what it copied; the directory is its parent's.
  if (!directory_ || owner_ != ::getpid()) return;
  try {
    remove_contents(directory_.get());
    ::unlinkat(base_.get(), path_.filename().c_str(), AT_REMOVEDIR);
  } catch (const std::bad_alloc&) {
    // What is left is found by the next clean_leftovers().
  }
}

result<std::filesystem::path> RuntimeDir::vm_dir(std::string_view id) const {
  if (!is_usable_id(id))
    return error(ErrorCode::InvalidConfig, "VM id \"" + std::string(id) + "\" names no directory",
                 "use 1 to 64 letters, digits, '.', '_' and '-', not starting with '.'");
  const std::string name = vm_name(id);
  if (::mkdirat(directory_.get(), name.c_str(), 0700) != 0 && errno != EEXIST)
    return error_from_errno(errno, "create " + (path_ / name).string());
  return path_ / name;
}

void RuntimeDir::remove_vm_dir(std::string_view id) const {
  if (!is_usable_id(id)) return;
  const std::string name = vm_name(id);
  const UniqueFd directory(
      ::openat(directory_.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  if (!directory) return;
  remove_contents(directory.get());
  ::unlinkat(directory_.get(), name.c_str(), AT_REMOVEDIR);
}

}  // namespace capsa
