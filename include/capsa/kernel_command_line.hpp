#pragma once

#include <capsa/result.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace capsa {

/// What the user adds to a kernel's command line. Order is kept; the last value of a key wins and
/// takes the place of the earlier one. A plain value.
class KernelCommandLine {
 public:
  /// The longest command line that x86 Linux takes, without its final NUL (COMMAND_LINE_SIZE 2048,
  /// arch/x86/include/asm/setup.h).
  static constexpr std::size_t kMaxLength = 2047;

  /// key=value; a value with blanks is quoted as the kernel expects.
  void set(std::string key, std::string value);
  void add_flag(std::string flag);
  /// Replaces everything but what the transport itself needs.
  void override_with(std::string line) { override_ = std::move(line); }

  bool is_override() const noexcept { return override_.has_value(); }

  /// The whole line: the backend's `defaults`, then the user's arguments, or the override; then
  /// what the `transport` needs in any case. InvalidConfig where it is too long, or where a key,
  /// value or flag holds what the kernel cannot be told (newline, NUL, a quote within a value).
  result<std::string> render(std::string_view defaults, std::string_view transport = {}) const;

  friend bool operator==(const KernelCommandLine&, const KernelCommandLine&) = default;

 private:
  struct Argument {
    std::string key;
    std::optional<std::string> value;
    friend bool operator==(const Argument&, const Argument&) = default;
  };
  std::vector<Argument> arguments_;
  std::optional<std::string> override_;
};

}  // namespace capsa
