#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace capsa::net::dns {

/// A domain name as it lies on the wire (RFC 1035, 3.1): labels with their lengths and the root's
/// zero at the end, at most 255 bytes, uncompressed. Names are equal without regard to the case of
/// ASCII letters (RFC 4343); the case they came in is kept. A value.
class Name {
 public:
  static constexpr std::size_t kMaxWire = 255;
  static constexpr std::size_t kMaxLabel = 63;

  Name() : wire_(1, '\0') {}  ///< the root
  /// From "a.b.c" or "a.b.c."; nothing where it is not a plain name (is_plain()) that fits.
  static std::optional<Name> from_text(std::string_view text);
  /// Reads one from a message and moves `at` behind it. A pointer of compression (RFC 1035, 4.1.4)
  /// must lead backwards, before all that was read of the name so far, which bounds the work.
  /// Nothing where it is malformed; `at` is then of no meaning.
  static std::optional<Name> read(std::span<const std::byte> message, std::size_t& at);

  bool is_root() const noexcept { return wire_.size() == 1; }
  std::size_t labels() const noexcept;
  /// Whether each label is of letters, digits, '-', '_' and '/' only. Others cannot be told apart
  /// as text ("a\.b" against "a.b"), and so cannot be judged by a rule.
  bool is_plain() const noexcept;
  /// In lower case, without the dot at the end; "" for the root. Only of a plain name.
  std::string text() const;
  /// The name less its first label; not of the root.
  Name parent() const;
  /// Whether it is `ancestor` or lies below it.
  bool is_within(const Name& ancestor) const noexcept;
  /// This name with `suffix` behind it; nothing where that does not fit.
  std::optional<Name> joined(const Name& suffix) const;
  Name lower_case() const;
  std::string_view wire() const noexcept { return wire_; }

  friend bool operator==(const Name& a, const Name& b) noexcept;
  friend bool operator<(const Name& a, const Name& b) noexcept;

 private:
  std::string wire_;
};

}  // namespace capsa::net::dns
