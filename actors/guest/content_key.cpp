#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <actors/guest/content_key.hpp>
#include <array>
#include <capsa/detail/unique_fd.hpp>
#include <map>
#include <mutex>
#include <tuple>

namespace capsa::guest {
namespace {

using FileIdentity = std::tuple<dev_t, ino_t, off_t, time_t, long, time_t, long>;

FileIdentity identify(const struct stat& status) {
  return {status.st_dev,         status.st_ino,          status.st_size,
          status.st_mtim.tv_sec, status.st_mtim.tv_nsec, status.st_ctim.tv_sec,
          status.st_ctim.tv_nsec};
}

}  // namespace

std::string ContentKey::text() const {
  static constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out;
  for (int shift = 60; shift >= 0; shift -= 4)
    out += kDigits[(state_ >> shift) & 15];
  return out;
}

std::string content_key(std::string_view bytes) {
  ContentKey key;
  key.add(bytes);
  return key.text();
}

result<std::string> file_key(const std::filesystem::path& file) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status = {};
  if (!fd || ::fstat(fd.get(), &status) != 0)
    return error_from_errno(errno, "open " + file.string());

  static std::mutex mutex;
  // Never destroyed: a thread of a static runtime may ask while the program ends.
  static auto& known = *new std::map<FileIdentity, std::string>;
  const auto identity = identify(status);
  {
    const std::lock_guard lock(mutex);
    if (const auto it = known.find(identity); it != known.end()) return it->second;
  }
  ContentKey key;
  std::array<char, 65536> buffer;
  for (;;) {
    const auto n = ::read(fd.get(), buffer.data(), buffer.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return error_from_errno(errno, "read " + file.string());
    if (n == 0) break;
    key.add({buffer.data(), static_cast<std::size_t>(n)});
  }
  const std::lock_guard lock(mutex);
  return known.insert_or_assign(identity, key.text()).first->second;
}

}  // namespace capsa::guest
