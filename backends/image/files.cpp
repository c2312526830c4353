#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <backends/image/files.hpp>
#include <cerrno>
#include <cstdlib>

namespace capsa::image {

namespace fs = std::filesystem;

result<std::string> read_file(const fs::path& file, std::size_t most) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd) return error_from_errno(errno, "open " + file.string());
  struct stat status = {};
  if (::fstat(fd.get(), &status) != 0) return error_from_errno(errno, "look at " + file.string());
  const auto invalid = [&](const std::string& why) {
    return error(ErrorCode::InvalidConfig, file.string() + why);
  };
  if (!S_ISREG(status.st_mode)) return invalid(" is not a file");
  if (static_cast<std::uint64_t>(status.st_size) > most)
    return invalid(" is longer than " + std::to_string(most) + " bytes");
  std::string content(static_cast<std::size_t>(status.st_size), '\0');
  std::size_t got = 0;
  while (got < content.size()) {
    const auto n = ::read(fd.get(), content.data() + got, content.size() - got);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return error_from_errno(errno, "read " + file.string());
    if (n == 0) return invalid(" became shorter while it was read");
    got += static_cast<std::size_t>(n);
  }
  return content;
}

result<void> write_whole(const fs::path& temporary, const fs::path& target,
                         std::string_view content) {
  UniqueFd fd(::open(temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!fd) return error_from_errno(errno, "create " + temporary.string());
  while (!content.empty()) {
    const auto n = ::write(fd.get(), content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return error_from_errno(errno, "write " + temporary.string());
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  if (::fsync(fd.get()) != 0) return error_from_errno(errno, "write " + temporary.string());
  fd.reset();
  return rename_whole(temporary, target);
}

result<void> rename_whole(const fs::path& temporary, const fs::path& target) {
  if (::rename(temporary.c_str(), target.c_str()) != 0)
    return error_from_errno(errno, "rename to " + target.string());
  const UniqueFd directory(
      ::open(target.parent_path().c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!directory || ::fsync(directory.get()) != 0)
    return error_from_errno(errno, "write " + target.parent_path().string());
  return {};
}

result<Workshop> Workshop::create(const fs::path& parent) {
  std::string name = parent / (std::string(kPrefix) + "XXXXXX");
  if (::mkdtemp(name.data()) == nullptr)
    return error_from_errno(errno, "create a directory in " + parent.string());
  return Workshop(name);
}

Workshop::~Workshop() {
  std::error_code ignored;
  if (!path_.empty()) fs::remove_all(path_, ignored);
}

}  // namespace capsa::image
