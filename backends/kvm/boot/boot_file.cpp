#include <sys/stat.h>
#include <unistd.h>

#include <backends/kvm/boot/boot_file.hpp>
#include <bit>
#include <cerrno>
#include <string>

namespace capsa::kvm {

static_assert(std::endian::native == std::endian::little, "a machine for x86 runs on x86");

result<BootFile> BootFile::open(int fd, std::string_view what) {
  struct stat status = {};
  if (::fstat(fd, &status) != 0)
    return error_from_errno(errno, "fstat of the " + std::string(what));
  const BootFile file(fd, what, static_cast<std::uint64_t>(status.st_size));
  if (!S_ISREG(status.st_mode))
    return file.fault(ErrorCode::InvalidConfig, "is not a regular file");
  return file;
}

result<void> BootFile::read(std::uint64_t offset, std::span<std::byte> out) const {
  // Also keeps the offset within what off_t holds.
  if (!holds(offset, out.size())) return fault(ErrorCode::InvalidConfig, "is cut short");
  while (!out.empty()) {
    const ssize_t count = ::pread(fd_, out.data(), out.size(), static_cast<off_t>(offset));
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return error_from_errno(errno, "read the " + std::string(what_));
    if (count == 0) return fault(ErrorCode::InvalidConfig, "became shorter while it was read");
    out = out.subspan(static_cast<std::size_t>(count));
    offset += static_cast<std::uint64_t>(count);
  }
  return {};
}

error BootFile::fault(ErrorCode code, std::string_view what, std::string hint) const {
  return {code, "the " + std::string(what_) + " " + std::string(what), std::move(hint)};
}

}  // namespace capsa::kvm
