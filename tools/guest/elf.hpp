#pragma once

#include <capsa/result.hpp>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace capsa::guest {

bool is_elf(std::string_view bytes) noexcept;

/// A view of a little-endian 64-bit x86 ELF file (System V ABI, chapters 4 and 5). Nothing in the
/// file is believed: every offset is checked when it is followed. Keeps no copy of the bytes.
class Elf {
 public:
  /// InvalidConfig for another kind of file.
  static result<Elf> parse(std::string_view bytes);

  /// ET_EXEC or ET_DYN with program headers.
  bool is_program() const noexcept;
  /// Whether a program interpreter is asked for, as dynamically linked programs do.
  /// InvalidConfig where the program headers lie outside the file.
  result<bool> has_interpreter() const;
  /// Whether a PT_NOTE segment has a note of this owner and type. InvalidConfig where a segment
  /// lies outside the file.
  result<bool> has_note(std::string_view owner, std::uint32_t type) const;
  /// The content of a section; none where there is no such section.
  result<std::optional<std::string_view>> section(std::string_view name) const;

 private:
  struct Segment {
    std::uint32_t type = 0;
    std::string_view content;
  };
  struct Section {
    std::uint32_t name = 0;
    std::uint32_t type = 0;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
  };

  explicit Elf(std::string_view bytes) : bytes_(bytes) {}
  result<Segment> segment(std::size_t index) const;
  std::optional<Section> section_header(std::size_t index) const;

  std::string_view bytes_;
  std::uint16_t type_ = 0;
  std::uint64_t segments_at_ = 0;
  std::uint16_t segments_ = 0;
  std::uint64_t sections_at_ = 0;
  std::uint16_t sections_ = 0;
  std::uint16_t names_ = 0;
};

}  // namespace capsa::guest
