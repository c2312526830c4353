#include <tools/guest/bytes.hpp>
#include <tools/guest/elf.hpp>

namespace capsa::guest {
namespace {

constexpr std::string_view kIdentity =
    "\x7f"
    "ELF\x02\x01";  // 64 bit, little-endian
constexpr std::uint16_t kMachineX86 = 62;
constexpr std::uint16_t kTypeExec = 2;
constexpr std::uint16_t kTypeDyn = 3;
constexpr std::uint64_t kSegmentHeader = 56;
constexpr std::uint64_t kSectionHeader = 64;
constexpr std::uint32_t kSegmentInterpreter = 3;
constexpr std::uint32_t kSegmentNote = 4;
constexpr std::uint32_t kSectionWithoutBytes = 8;

error damaged(std::string what) {
  return {ErrorCode::InvalidConfig, "damaged ELF file: " + std::move(what)};
}

/// Whether `notes` holds a note of this owner and type. Stops at the first that is cut short.
bool find_note(std::string_view notes, std::string_view owner, std::uint32_t type) {
  const auto padded = [](std::uint64_t size) { return (size + 3) & ~std::uint64_t{3}; };
  for (std::uint64_t at = 0;;) {
    const auto name_size = read_le<std::uint32_t>(notes, at);
    const auto content_size = read_le<std::uint32_t>(notes, at + 4);
    const auto note_type = read_le<std::uint32_t>(notes, at + 8);
    if (!name_size || !content_size || !note_type) return false;
    const auto name = slice(notes, at + 12, *name_size);
    if (!name || !slice(notes, at + 12 + padded(*name_size), *content_size)) return false;
    if (*note_type == type && name->size() == owner.size() + 1 && name->starts_with(owner) &&
        name->back() == '\0')
      return true;
    at += 12 + padded(*name_size) + padded(*content_size);
  }
}

}  // namespace

bool is_elf(std::string_view bytes) noexcept {
  return bytes.starts_with(kIdentity.substr(0, 4));
}

result<Elf> Elf::parse(std::string_view bytes) {
  Elf elf(bytes);
  const auto type = read_le<std::uint16_t>(bytes, 16);
  const auto machine = read_le<std::uint16_t>(bytes, 18);
  const auto segments_at = read_le<std::uint64_t>(bytes, 32);
  const auto sections_at = read_le<std::uint64_t>(bytes, 40);
  const auto segment_size = read_le<std::uint16_t>(bytes, 54);
  const auto segments = read_le<std::uint16_t>(bytes, 56);
  const auto section_size = read_le<std::uint16_t>(bytes, 58);
  const auto sections = read_le<std::uint16_t>(bytes, 60);
  const auto names = read_le<std::uint16_t>(bytes, 62);
  if (!bytes.starts_with(kIdentity) || !names || *machine != kMachineX86)
    return damaged("not a 64-bit x86 one");
  if ((*segments != 0 && *segment_size != kSegmentHeader) ||
      (*sections != 0 && *section_size != kSectionHeader))
    return damaged("headers of another size");
  elf.type_ = *type;
  elf.segments_at_ = *segments_at;
  elf.segments_ = *segments;
  elf.sections_at_ = *sections_at;
  elf.sections_ = *sections;
  elf.names_ = *names;
  return elf;
}

bool Elf::is_program() const noexcept {
  return (type_ == kTypeExec || type_ == kTypeDyn) && segments_ != 0;
}

result<Elf::Segment> Elf::segment(std::size_t index) const {
  const auto header = slice(bytes_, segments_at_, std::uint64_t{segments_} * kSegmentHeader);
  if (!header) return damaged("its program headers lie outside the file");
  const std::uint64_t at = index * kSegmentHeader;
  Segment segment;
  segment.type = *read_le<std::uint32_t>(*header, at);
  const auto content = slice(bytes_, *read_le<std::uint64_t>(*header, at + 8),
                             *read_le<std::uint64_t>(*header, at + 32));
  if (!content) return damaged("a segment lies outside the file");
  segment.content = *content;
  return segment;
}

result<bool> Elf::has_interpreter() const {
  bool found = false;
  for (std::size_t i = 0; i < segments_; ++i) {
    const auto one = segment(i);
    if (!one) return one.error();
    found = found || one->type == kSegmentInterpreter;
  }
  return found;
}

result<bool> Elf::has_note(std::string_view owner, std::uint32_t type) const {
  bool found = false;
  for (std::size_t i = 0; i < segments_; ++i) {
    const auto one = segment(i);
    if (!one) return one.error();
    found = found || (one->type == kSegmentNote && find_note(one->content, owner, type));
  }
  return found;
}

std::optional<Elf::Section> Elf::section_header(std::size_t index) const {
  if (index >= sections_) return {};
  const auto header = slice(bytes_, sections_at_, std::uint64_t{sections_} * kSectionHeader);
  if (!header) return {};
  const std::uint64_t at = index * kSectionHeader;
  return Section{*read_le<std::uint32_t>(*header, at), *read_le<std::uint32_t>(*header, at + 4),
                 *read_le<std::uint64_t>(*header, at + 24),
                 *read_le<std::uint64_t>(*header, at + 32)};
}

result<std::optional<std::string_view>> Elf::section(std::string_view name) const {
  const auto names_header = section_header(names_);
  const auto names =
      names_header ? slice(bytes_, names_header->offset, names_header->size) : std::nullopt;
  if (!names) return damaged("its section names lie outside the file");
  for (std::size_t i = 0; i < sections_; ++i) {
    const auto header = section_header(i);
    const auto own_name = slice(*names, header->name, name.size() + 1);
    if (!own_name || !own_name->starts_with(name) || own_name->back() != '\0') continue;
    if (header->type == kSectionWithoutBytes) return std::optional<std::string_view>{};
    const auto content = slice(bytes_, header->offset, header->size);
    if (!content) return damaged("a section lies outside the file");
    return std::optional(*content);
  }
  return std::optional<std::string_view>{};
}

}  // namespace capsa::guest
