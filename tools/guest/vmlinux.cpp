#include <tools/guest/bytes.hpp>
#include <tools/guest/elf.hpp>
#include <tools/guest/vmlinux.hpp>

namespace capsa::guest {
namespace {

// Offsets in the boot sector and set-up header: Documentation/arch/x86/boot.rst.
constexpr std::size_t kSetupSectors = 0x1f1;
constexpr std::size_t kHeaderMagic = 0x202;
constexpr std::size_t kProtocolVersion = 0x206;
constexpr std::size_t kPayloadOffset = 0x248;
constexpr std::size_t kPayloadLength = 0x24c;
constexpr std::uint32_t kHdrS = 0x53726448;
constexpr std::uint16_t kFirstWithPayload = 0x0208;
constexpr std::uint64_t kSector = 512;

error damaged(std::string what) {
  return {ErrorCode::InvalidConfig, "not a bootable kernel: " + std::move(what)};
}

result<std::string_view> find_payload(std::string_view image) {
  if (read_le<std::uint32_t>(image, kHeaderMagic) != kHdrS)
    return damaged("neither an ELF file nor a bzImage");
  const auto version = read_le<std::uint16_t>(image, kProtocolVersion);
  if (!version || *version < kFirstWithPayload) return damaged("boot protocol older than 2.08");
  const auto sectors = read_le<std::uint8_t>(image, kSetupSectors);
  const auto offset = read_le<std::uint32_t>(image, kPayloadOffset);
  const auto length = read_le<std::uint32_t>(image, kPayloadLength);
  if (!sectors || !offset || !length) return damaged("the set-up header is cut short");
  // 0 stands for 4, from the days of floppy disks; the boot sector itself is not counted.
  const std::uint64_t code = (std::uint64_t{*sectors == 0 ? 4U : *sectors} + 1) * kSector;
  const auto payload = slice(image, code + *offset, *length);
  if (!payload || payload->empty()) return damaged("the payload lies outside the file");
  return *payload;
}

}  // namespace

result<void> check_vmlinux(std::string_view elf) {
  const auto program = Elf::parse(elf);
  if (!program || !program->is_program()) return damaged("no 64-bit x86 ELF program");
  const auto has_pvh_entry = program->has_note("Xen", 18);  // XEN_ELFNOTE_PHYS32_ENTRY
  if (!has_pvh_entry) return has_pvh_entry.error();
  if (!*has_pvh_entry)
    return error(ErrorCode::UnsupportedFeature, "the kernel has no PVH entry",
                 "use a kernel built with CONFIG_PVH=y");
  return {};
}

result<std::string> unpack_vmlinux(std::string_view image, std::size_t limit) {
  std::string elf;
  if (is_elf(image)) {
    if (image.size() > limit) return damaged("larger than any kernel");
    elf = image;
  } else {
    const auto payload = find_payload(image);
    if (!payload) return payload.error();
    auto unpacked = unpack_stream(*payload, limit, true);
    if (!unpacked) return unpacked;
    elf = *std::move(unpacked);
  }
  if (auto checked = check_vmlinux(elf); !checked) return checked.error();
  return elf;
}

}  // namespace capsa::guest
