#include <unistd.h>

#include <string>
#include <tools/cli/report.hpp>

namespace capsa::cli {

void say(std::string_view text) {
  const std::string line = "capsa: " + std::string(text) + "\n";
  // One write, so that lines of two programs do not mix. Nobody is left to be told of a failure.
  [[maybe_unused]] const auto written = ::write(STDERR_FILENO, line.data(), line.size());
}

int report(const error& what) {
  std::string text = what.message();
  if (!what.hint().empty()) text += "\ncapsa: " + what.hint();
  say(text);
  return kOwnFailure;
}

int status_of_failed_start(const error& what) noexcept {
  if (what.code() != ErrorCode::GuestError) return kOwnFailure;
  switch (what.guest_errno()) {
    case ENOENT:
    case ENOTDIR:
      return kNotFound;
    case EACCES:
    case EPERM:
    case EISDIR:
    case ENOEXEC:
      return kNotExecutable;
    default:
      return kOwnFailure;
  }
}

}  // namespace capsa::cli
