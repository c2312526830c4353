#include <asm/bootparam.h>

#include <algorithm>
#include <backends/kvm/boot/kernel_plan.hpp>
#include <bit>
#include <cstddef>
#include <string>

// A bzImage is a boot sector and set-up code for real mode, which we do not run but for its header
// at 0x1f1, then the protected-mode code: a loader that unpacks the kernel into the room behind
// pref_address. Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header" and "64-bit boot
// protocol".
namespace capsa::kvm {
namespace {

constexpr std::uint64_t kHeaderOffset = 0x1f1;
constexpr std::uint64_t kSector = 512;
constexpr std::uint16_t kBootFlag = 0xAA55;
constexpr std::uint16_t kFirstProtocol = 0x020c;  // 2.12: xloadflags
/// Where the second byte of the jump at 0x200 counts from; it says where the header ends.
constexpr std::uint64_t kJumpBase = 0x202;
/// The header of 2.12 ends behind handover_offset.
constexpr std::uint64_t kFirstHeaderEnd =
    kHeaderOffset + offsetof(setup_header, handover_offset) + sizeof(__u32);
constexpr std::uint64_t kEntry64 = 0x200;
/// syssize counts these.
constexpr std::uint64_t kParagraph = 16;

error damaged(const BootFile& file, const std::string& what) {
  return file.fault(ErrorCode::InvalidConfig, "is a damaged bzImage: " + what);
}

result<void> check_header(const BootFile& file, const setup_header& header) {
  if (header.boot_flag != kBootFlag) return damaged(file, "it has no boot sector");
  if (header.version < kFirstProtocol)
    return file.fault(ErrorCode::UnsupportedFeature, "speaks a boot protocol older than 2.12",
                      "give Linux 3.8 or later");
  if ((header.xloadflags & XLF_KERNEL_64) == 0)
    return file.fault(ErrorCode::UnsupportedFeature, "has no 64-bit entry",
                      "give a kernel for x86-64 (CONFIG_X86_64=y)");
  if ((header.loadflags & LOADED_HIGH) == 0) return damaged(file, "it is to be loaded below 1 MiB");
  if (kJumpBase + (header.jump >> 8U) < kFirstHeaderEnd)
    return damaged(file, "its set-up header is cut short");
  if (!std::has_single_bit(header.kernel_alignment))
    return damaged(file, "its alignment is not a power of two");
  return {};
}

/// The header as the zero page gets it: without what lies behind its end in the file.
std::vector<std::byte> header_bytes(const setup_header& header) {
  const auto all = std::as_bytes(std::span(&header, 1));
  const std::size_t size =
      std::min<std::size_t>(all.size(), kJumpBase + (header.jump >> 8U) - kHeaderOffset);
  return {all.begin(), all.begin() + static_cast<std::ptrdiff_t>(size)};
}

}  // namespace

result<KernelPlan> plan_bzimage(const BootFile& file) {
  const auto loaded = file.load<setup_header>(kHeaderOffset);
  if (!loaded) return loaded.error();
  const setup_header& header = *loaded;
  if (auto checked = check_header(file, header); !checked) return checked.error();

  // 0 stands for 4, from the days of floppy disks; the boot sector itself is not counted.
  const std::uint64_t sectors = header.setup_sects == 0 ? 4U : header.setup_sects;
  const std::uint64_t code_at = (sectors + 1) * kSector;
  const std::uint64_t code_size = file.size() > code_at ? file.size() - code_at : 0;
  // What may follow (a signature) is loaded too: it lies in room that is the kernel's anyway.
  if (header.syssize * kParagraph > code_size) return damaged(file, "it is cut short");
  if (code_size <= kEntry64) return damaged(file, "it has no code");

  // It runs at pref_address or above, and moves itself there where it was loaded below.
  if (header.pref_address < kHighMemoryStart || header.pref_address >= kHoleStart)
    return file.fault(ErrorCode::UnsupportedFeature,
                      "wants to lie below the address of 1 MiB, or above 3 GiB",
                      "build it with another CONFIG_PHYSICAL_START");
  const std::uint64_t alignment = header.relocatable_kernel != 0 ? header.kernel_alignment : 1;
  const GuestAddress address = (header.pref_address + alignment - 1) & ~(alignment - 1);

  KernelPlan plan;
  plan.pieces.push_back({code_at, code_size, address, code_size});
  // Its .bss, heap and page tables, and the unpacked kernel, all lie in init_size.
  plan.room = {address, std::max<std::uint64_t>(header.init_size, code_size)};
  plan.entry = address + kEntry64;
  plan.initrd_limit =
      std::min<std::uint64_t>(kHoleStart, std::uint64_t{header.initrd_addr_max} + 1);
  plan.command_line_limit = std::min<std::uint64_t>(plan.command_line_limit, header.cmdline_size);
  plan.setup_header = header_bytes(header);
  return plan;
}

}  // namespace capsa::kvm
