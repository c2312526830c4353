#include <algorithm>
#include <cstdio>
#include <tools/cli/progress.hpp>
#include <tools/cli/terminal.hpp>

namespace capsa::cli {

std::string draw_progress(std::string_view step, std::uint64_t done, std::uint64_t total,
                          std::size_t columns) {
  constexpr std::size_t kWidth = 24;
  std::string out;
  if (total != 0) {
    const double part = static_cast<double>(std::min(done, total)) / static_cast<double>(total);
    const auto full = static_cast<std::size_t>(part * kWidth);
    const auto percent = std::to_string(static_cast<unsigned>(part * 100));
    out = "[" + std::string(full, '#') + std::string(kWidth - full, '.') + "] " +
          std::string(3 - percent.size(), ' ') + percent + " % ";
  }
  out += step;
  return out.substr(0, columns);
}

void ProgressBar::show(std::string_view step, std::uint64_t done, std::uint64_t total) {
  if (!terminal_) {
    if (step == shown_) return;
    shown_ = step;
    std::fprintf(stderr, "capsa: %s\n", shown_.c_str());
    return;
  }
  const auto size = terminal_size().value_or(PtySize{});
  // A full last column would move some terminals to the next line.
  std::string line = draw_progress(step, done, total, size.cols - std::size_t{1});
  if (line == shown_) return;
  shown_ = std::move(line);
  std::fprintf(stderr, "\r%s\x1b[K", shown_.c_str());
}

void ProgressBar::finish() {
  if (terminal_ && !shown_.empty()) std::fputs("\r\x1b[K", stderr);
  shown_.clear();
}

}  // namespace capsa::cli
