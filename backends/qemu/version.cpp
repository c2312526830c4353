#include <array>
#include <backends/qemu/version.hpp>
#include <charconv>

namespace capsa::qemu {

std::string to_string(const QemuVersion& version) {
  return std::to_string(version.major) + "." + std::to_string(version.minor) + "." +
         std::to_string(version.micro);
}

std::optional<QemuVersion> parse_version(std::string_view text) {
  constexpr std::string_view kIntroduction = "QEMU emulator version ";
  const auto start = text.find(kIntroduction);
  if (start == std::string_view::npos) return std::nullopt;
  const char* at = text.data() + start + kIntroduction.size();
  const char* const end = text.data() + text.size();
  std::array<int, 3> numbers{};
  std::size_t count = 0;
  while (count < numbers.size()) {
    const auto [next, failure] = std::from_chars(at, end, numbers[count]);
    if (failure != std::errc{} || numbers[count] < 0) break;
    ++count;
    at = next;
    if (at == end || *at != '.') break;
    ++at;
  }
  if (count < 2) return std::nullopt;
  return QemuVersion{numbers[0], numbers[1], numbers[2]};
}

}  // namespace capsa::qemu
