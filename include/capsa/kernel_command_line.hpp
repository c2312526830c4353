#pragma once

#include <capsa/result.hpp>
#include <iosfwd>
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

  /// What a line says as the kernel reads it: words divided by blanks, where double quotes hold
  /// blanks together and are taken out; `--` and what follows is init's. Of a key that comes
  /// several times the last value counts, as with set(). InvalidConfig for a quote that is not
  /// closed, a word without a name, and what could not be written again (a quote within a value, a
  /// blank in a name, a control character). Of any length.
  static result<KernelCommandLine> parse(std::string_view line);

  /// key=value; a value with blanks is quoted as the kernel expects.
  void set(std::string key, std::string value);
  /// A word without a value; with a "=" in it, what set() does.
  void add_flag(std::string flag);
  /// Replaces everything but what the transport itself needs.
  void override_with(std::string line) { override_ = std::move(line); }

  /// Whether override_with() was called; what was set besides it does not count then.
  bool is_override() const noexcept { return override_.has_value(); }

  /// The whole line: the backend's `defaults`, then the user's arguments, or the override; then
  /// what the `transport` needs in any case. InvalidConfig where it is too long, or where a key,
  /// value or flag holds what the kernel cannot be told (newline, NUL, a quote within a value).
  result<std::string> render(std::string_view defaults, std::string_view transport = {}) const;

  /// The user's part as it would be written, or the override, on one line: for people and logs.
  /// What render() refuses is quoted, with control characters escaped.
  friend std::string to_string(const KernelCommandLine& line);
  friend std::ostream& operator<<(std::ostream& out, const KernelCommandLine& line);

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
