#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <backends/block/new_image.hpp>
#include <backends/block/qcow2.hpp>
#include <backends/block/store.hpp>
#include <cerrno>
#include <limits>

namespace capsa::block {
namespace {

error invalid(const std::string& name, const std::string& what, std::string hint = {}) {
  return {ErrorCode::InvalidConfig, name + ": " + what, std::move(hint)};
}

result<void> fill(int fd, ImageFormat format, std::uint64_t bytes, const std::string& name) {
  if (format == ImageFormat::Qcow2) return write_empty_qcow2(fd, bytes, name);
  if (::ftruncate(fd, static_cast<off_t>(bytes)) == 0) return {};
  return error_from_errno(errno, "make " + name);
}

result<UniqueFd> unnamed_file(const std::filesystem::path& directory) {
  const std::string doing = "make an overlay in " + directory.string();
  const char* const hint = "name another directory: RuntimeOptions::scratch_dir, or TMPDIR";
  UniqueFd fd(::open(directory.c_str(), O_TMPFILE | O_RDWR | O_EXCL | O_CLOEXEC, 0600));
  if (fd) return fd;
  if (errno != EOPNOTSUPP && errno != EISDIR) return error_from_errno(errno, doing, hint);
  // A file system without such files: one whose name is there for a moment.
  std::string path = (directory / "capsa-overlay-XXXXXX").string();
  fd.reset(::mkostemp(path.data(), O_CLOEXEC));
  if (!fd) return error_from_errno(errno, doing, hint);
  ::unlink(path.c_str());
  return fd;
}

}  // namespace

result<void> create_image(const std::filesystem::path& path, ImageFormat format,
                          std::uint64_t bytes) {
  const std::string name = "disk " + path.string();
  if (format != ImageFormat::Raw && format != ImageFormat::Qcow2)
    return invalid(name, "no new image can be of that format", "make it raw or qcow2");
  if (bytes == 0 || bytes % kSectorSize != 0 || bytes > std::numeric_limits<off_t>::max())
    return invalid(name, std::to_string(bytes) + " bytes were asked for",
                   "use a multiple of 512, more than 0");
  const UniqueFd fd(::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (!fd && errno == EEXIST)
    return invalid(name, "there is something at that path already", "choose another path");
  if (!fd) return error_from_errno(errno, "make " + name);
  auto filled = fill(fd.get(), format, bytes, name);
  if (!filled) ::unlink(path.c_str());
  return filled;
}

result<UniqueFd> create_unnamed_qcow2(const std::filesystem::path& directory, std::uint64_t bytes) {
  auto fd = unnamed_file(directory);
  if (!fd) return fd;
  if (auto filled = write_empty_qcow2(fd->get(), bytes, "an overlay in " + directory.string());
      !filled)
    return filled.error();
  return fd;
}

result<std::uint64_t> image_size(const std::filesystem::path& path, ImageFormat format) {
  const std::string name = "disk " + path.string();
  std::uint64_t size = 0;
  if (format == ImageFormat::Qcow2) {
    const auto header = read_qcow2_header(path);
    if (!header) return header.error();
    size = header->size;
  } else if (format == ImageFormat::Raw) {
    const UniqueFd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
    if (!fd) return error_from_errno(errno, "open " + name);
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return error_from_errno(errno, "look at " + name);
    if (!S_ISREG(status.st_mode) && !S_ISBLK(status.st_mode))
      return invalid(name, "it is neither a file nor a block device");
    size = static_cast<std::uint64_t>(status.st_size);
    if (S_ISBLK(status.st_mode) && ::ioctl(fd.get(), BLKGETSIZE64, &size) != 0)
      return error_from_errno(errno, "ask for the size of " + name);
  } else {
    return invalid(name, "images of that format are not looked into");
  }
  return size - size % kSectorSize;
}

}  // namespace capsa::block
