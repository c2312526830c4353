#include <sys/stat.h>

#include <agent/tree/paths.hpp>
#include <cerrno>

namespace capsa::agent {

int make_dir(const std::string& path, bool parents, mode_t mode) {
  if (parents) {
    for (auto slash = path.find('/', 1); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
      const std::string part = path.substr(0, slash);
      if (::mkdir(part.c_str(), 0755) < 0 && errno != EEXIST) {
        // A read-only file system refuses before it looks: only what is missing matters.
        const int failure = errno;
        struct stat status {};
        if (::stat(part.c_str(), &status) < 0) return failure;
      }
    }
  }
  if (::mkdir(path.c_str(), mode & 07777) == 0)
    // mkdir(2) applies the umask and drops set-id bits; the caller's mode is meant as it is.
    return ::chmod(path.c_str(), mode & 07777) == 0 ? 0 : errno;
  const int failure = errno;
  struct stat status {};
  if (parents && ::stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode)) return 0;
  return failure;
}

std::string parent_of(const std::string& path) {
  const auto slash = path.find_last_of('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace capsa::agent
