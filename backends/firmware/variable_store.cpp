#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <backends/firmware/variable_store.hpp>
#include <cerrno>
#include <cstdlib>
#include <string>
#include <string_view>

namespace capsa::firmware {
namespace {

namespace fs = std::filesystem;

// Room for the largest flash that a PC's firmware has; the template is the host's own file, so more
// is a mistake of whoever put it there.
constexpr off_t kMaxStore = off_t{8} << 20;

std::string named(const fs::path& path) {
  return "UEFI variable store " + path.string();
}

result<std::string> read_template(const Ovmf& firmware) {
  const std::string name = "UEFI firmware " + firmware.variables.string();
  const UniqueFd fd(::open(firmware.variables.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  struct stat status {};
  if (!fd || ::fstat(fd.get(), &status) != 0) return error_from_errno(errno, "read " + name);
  if (status.st_size <= 0 || status.st_size > kMaxStore)
    return error(ErrorCode::BackendUnavailable,
                 name + " has " + std::to_string(status.st_size) + " bytes",
                 "install it again: apt-get install --reinstall ovmf");
  std::string bytes(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t done = 0;
  while (done < bytes.size()) {
    const auto n =
        ::pread(fd.get(), bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return error_from_errno(errno, "read " + name);
    if (n == 0) return error(ErrorCode::IoError, "read " + name + ": it became shorter");
    done += static_cast<std::size_t>(n);
  }
  return bytes;
}

result<void> write_all(int fd, std::string_view bytes, const std::string& what) {
  while (!bytes.empty()) {
    const auto n = ::write(fd, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return error_from_errno(errno, "write " + what);
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

/// Linked into its place with everything in it, and only where there is nothing: of two makers the
/// first one's is used by both. After a crash of the host it may be empty, and is then refused for
/// its size.
result<void> make_store(const fs::path& path, const Ovmf& firmware) {
  const auto bytes = read_template(firmware);
  if (!bytes) return bytes.error();
  std::string temporary = path.string() + ".new-XXXXXX";
  const UniqueFd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd) return error_from_errno(errno, "make " + named(path));
  auto written = write_all(fd.get(), *bytes, named(path));
  if (written && ::link(temporary.c_str(), path.c_str()) != 0 && errno != EEXIST)
    written = error_from_errno(errno, "make " + named(path));
  ::unlink(temporary.c_str());
  return written;
}

result<void> lock(int fd, const fs::path& path) {
  struct flock all {};
  all.l_type = F_WRLCK;
  all.l_whence = SEEK_SET;  // from 0, length 0: to the end
  if (::fcntl(fd, F_OFD_SETLK, &all) == 0) return {};
  if (errno != EAGAIN && errno != EACCES) return error_from_errno(errno, "lock " + named(path));
  return error(ErrorCode::ResourceExhausted, named(path) + ": another machine or program has it",
               "end that one first, or give each VM a store of its own");
}

result<void> check_kind(const struct stat& status, const fs::path& path, const Ovmf& firmware) {
  if (!S_ISREG(status.st_mode))
    return error(ErrorCode::InvalidConfig, named(path) + ": it is no regular file",
                 "give the path of a file that capsa made, or of none");
  struct stat first {};
  if (::stat(firmware.variables.c_str(), &first) != 0)
    return error_from_errno(errno, "look at UEFI firmware " + firmware.variables.string());
  if (status.st_size != first.st_size)
    return error(ErrorCode::InvalidConfig,
                 named(path) + ": it has " + std::to_string(status.st_size) +
                     " bytes; the variables of this firmware have " + std::to_string(first.st_size),
                 "it belongs to another firmware: give another path, and a new one is made");
  return {};
}

error not_there(const fs::path& path) {
  return {ErrorCode::NotFound, named(path) + " does not exist",
          "make it of " + std::string(kOvmfDirectory) +
              "/OVMF_VARS_4M.fd, or let capsa: "
              "create_variable_store"};
}

UniqueFd open_store(const fs::path& path) {
  // O_NONBLOCK: a FIFO without a writer would wait here. It means nothing to files.
  return UniqueFd(::open(path.c_str(), O_RDWR | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
}

}  // namespace

result<UniqueFd> open_variable_store(const fs::path& path, const Ovmf& firmware, bool create) {
  auto fd = open_store(path);
  if (!fd && errno == ENOENT) {
    if (!create) return not_there(path);
    if (auto made = make_store(path, firmware); !made) return made.error();
    fd = open_store(path);
  }
  if (!fd) return error_from_errno(errno, "open " + named(path));
  // The size counts under the lock: before, somebody may be at it still.
  if (auto locked = lock(fd.get(), path); !locked) return locked.error();
  struct stat status {};
  if (::fstat(fd.get(), &status) != 0) return error_from_errno(errno, "look at " + named(path));
  if (auto usable = check_kind(status, path, firmware); !usable) return usable.error();
  return fd;
}

result<UniqueFd> make_nameless_store(const Ovmf& firmware) {
  const auto bytes = read_template(firmware);
  if (!bytes) return bytes.error();
  UniqueFd fd(::memfd_create("capsa-efi-variables", MFD_CLOEXEC));
  if (!fd) return error_from_errno(errno, "make a UEFI variable store");
  if (auto written = write_all(fd.get(), *bytes, "a UEFI variable store"); !written)
    return written.error();
  return fd;
}

result<void> check_variable_store(const fs::path& path, const Ovmf& firmware, bool create) {
  struct stat status {};
  if (::stat(path.c_str(), &status) == 0) {
    if (auto usable = check_kind(status, path, firmware); !usable) return usable;
    if (::access(path.c_str(), R_OK | W_OK) == 0) return {};
    return error_from_errno(errno, "write " + named(path));
  }
  if (errno != ENOENT) return error_from_errno(errno, "look at " + named(path));
  if (!create) return not_there(path);
  const auto directory = path.has_parent_path() ? path.parent_path() : fs::path(".");
  if (::access(directory.c_str(), W_OK | X_OK) == 0) return {};
  return error_from_errno(errno, "make " + named(path));
}

}  // namespace capsa::firmware
