#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string_view>
#include <vector>

namespace capsa::kvm::aml {

/// \file The part of the ACPI machine language that our DSDT needs (ACPI 6.4, chapter 20). Every
/// function gives the encoding of one term; terms are put together by handing them on.

/// Encoded terms, one after the other.
using Code = std::vector<std::byte>;

/// A name in the ACPI namespace, "_HID" or "\\_SB.PWRB": a root or none, then one or two segments
/// of up to four of A-Z, 0-9 and _, not beginning with a digit. A literal that is none does not
/// compile.
class Name {
 public:
  consteval Name(const char* text) {  // NOLINT: implicit
    std::string_view left(text);
    if (left.starts_with('\\')) {
      root_ = true;
      left.remove_prefix(1);
    }
    const std::size_t dot = left.find('.');
    set(0, left.substr(0, dot));
    if (dot != std::string_view::npos) {
      set(1, left.substr(dot + 1));
      segments_ = 2;
    }
  }

  /// One letter (A-Z) and the lower 12 bits of `number` in hexadecimal: V01F.
  static Name numbered(char letter, unsigned number);

  Code encoded() const;

 private:
  Name() = default;

  consteval void set(std::size_t segment, std::string_view text) {
    if (text.empty() || text.size() > 4 || (text[0] >= '0' && text[0] <= '9'))
      throw "no name segment";
    for (std::size_t i = 0; i < text.size(); ++i) {
      const bool fine = (text[i] >= 'A' && text[i] <= 'Z') || (text[i] >= '0' && text[i] <= '9') ||
                        text[i] == '_';
      if (!fine) throw "no character of a name";
      characters_[4 * segment + i] = text[i];
    }
  }

  bool root_ = false;
  std::size_t segments_ = 1;
  std::array<char, 8> characters_{'_', '_', '_', '_', '_', '_', '_', '_'};  // padded, 5.3
};

/// An EISA id as _HID wants it, "PNP0501" (19.3.4, EisaId): three capital letters, four hexadecimal
/// digits in capitals.
consteval std::uint32_t eisa_id(const char (&text)[8]) {
  std::uint32_t id = 0;
  for (std::size_t i = 0; i < 3; ++i) {
    if (text[i] < 'A' || text[i] > 'Z') throw "no letter";
    id = id << 5 | static_cast<std::uint32_t>(text[i] - 'A' + 1);
  }
  for (std::size_t i = 3; i < 7; ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (!digit && (text[i] < 'A' || text[i] > 'F')) throw "no hexadecimal digit";
    id = id << 4 | static_cast<std::uint32_t>(digit ? text[i] - '0' : text[i] - 'A' + 10);
  }
  return id >> 24 | (id >> 8 & 0xFF00) | (id << 8 & 0xFF'0000) | id << 24;
}

Code join(std::initializer_list<Code> terms);

/// A number in the form of PkgLength (20.2.4): one to four bytes. At most kMaxLength.
inline constexpr std::size_t kMaxLength = (1U << 28) - 1;
Code length(std::size_t value);
/// The PkgLength before `content` bytes: it counts its own bytes too. With them at most kMaxLength.
Code package_length(std::size_t content);

// -- data
/// The shortest encoding of the value.
Code integer(std::uint64_t value);
/// ASCII without a zero.
Code string(std::string_view text);
/// At most 255 elements.
Code package(std::initializer_list<Code> elements);
Code buffer(std::span<const std::byte> bytes);

// -- declarations
Code define(const Name& name, const Code& value);
Code scope(const Name& name, const Code& terms);
Code device(const Name& name, const Code& terms);
/// With up to 7 arguments. A serialized one is run by one thread of the guest at a time.
Code method(const Name& name, unsigned arguments, bool serialized, const Code& terms);
Code memory_region(const Name& name, std::uint64_t address, std::uint64_t size);
/// One 32-bit register at the start of a region.
Code register32(const Name& region, const Name& name);

// -- statements and expressions
/// Local variable 0 to 7.
Code local(unsigned number);
Code reference(const Name& name);
Code store(const Code& value, const Code& target);
Code bit_and(const Code& a, const Code& b);
Code when(const Code& condition, const Code& terms);
Code notify(const Name& device, std::uint8_t event);

}  // namespace capsa::kvm::aml
