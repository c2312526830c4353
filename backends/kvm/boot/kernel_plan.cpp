#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <backends/kvm/boot/kernel_plan.hpp>
#include <cstring>
#include <string>
#include <string_view>

namespace capsa::kvm {
namespace {

using namespace std::string_view_literals;

constexpr std::uint64_t kHeaderMagicOffset = 0x202;  // "HdrS" of a bzImage

struct OtherKind {
  std::uint64_t offset;
  std::string_view magic;
  std::string_view what;
  std::string_view hint;
};

constexpr std::string_view kUnpack = "unpack it, or give the bzImage that it was built with";
// Only what is likely to be given by mistake: each gets a word that helps.
constexpr std::array<OtherKind, 9> kOtherKinds{{
    {0, "\x1f\x8b"sv, "is compressed with gzip", kUnpack},
    {0,
     "\xfd"
     "7zXZ\0"sv,
     "is compressed with XZ", kUnpack},
    {0, "\x28\xb5\x2f\xfd"sv, "is compressed with Zstandard", kUnpack},
    {0, "\x04\x22\x4d\x18"sv, "is compressed with LZ4", kUnpack},
    {0, "\x02\x21\x4c\x18"sv, "is compressed with LZ4", kUnpack},
    {0, "BZh"sv, "is compressed with bzip2", kUnpack},
    {56, "ARM\x64"sv, "is for another architecture: arm64", "give a kernel for x86-64"},
    {56, "RSC\x05"sv, "is for another architecture: riscv", "give a kernel for x86-64"},
    {0, "MZ"sv, "is an EFI program and no bzImage", "give the vmlinux or the bzImage in it"},
}};

result<bool> begins(const BootFile& file, std::uint64_t offset, std::string_view magic) {
  std::array<char, 8> bytes{};
  if (!file.holds(offset, magic.size())) return false;
  const auto part = std::span(bytes).first(magic.size());
  if (auto got = file.read(offset, std::as_writable_bytes(part)); !got) return got.error();
  return std::string_view(part.data(), part.size()) == magic;
}

/// Holes read as zeros, and cost the guest no memory: a .bss of many MiB that it has yet to touch.
void zero(std::span<std::byte> bytes) {
  static const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(bytes.data());
  const std::size_t lead = std::min<std::size_t>((page - begin % page) % page, bytes.size());
  const std::size_t whole = (bytes.size() - lead) / page * page;
  const auto middle = bytes.subspan(lead, whole);
  const auto fill = [](std::span<std::byte> part) {
    if (!part.empty()) std::memset(part.data(), 0, part.size());
  };
  fill(bytes.first(lead));
  if (!middle.empty() && ::madvise(middle.data(), middle.size(), MADV_REMOVE) != 0) fill(middle);
  fill(bytes.subspan(lead + whole));
}

std::string mib(std::uint64_t bytes) {
  return std::to_string(bytes / kMiB + (bytes % kMiB != 0 ? 1 : 0)) + " MiB";
}

}  // namespace

result<KernelPlan> plan_kernel(const BootFile& file) {
  const auto elf = begins(file, 0,
                          "\x7f"
                          "ELF");
  if (!elf) return elf.error();
  if (*elf) return plan_elf(file);
  const auto bzimage = begins(file, kHeaderMagicOffset, "HdrS");
  if (!bzimage) return bzimage.error();
  if (*bzimage) return plan_bzimage(file);
  for (const auto& kind : kOtherKinds) {
    const auto is = begins(file, kind.offset, kind.magic);
    if (!is) return is.error();
    if (*is) return file.fault(ErrorCode::UnsupportedFeature, kind.what, std::string(kind.hint));
  }
  return file.fault(ErrorCode::InvalidConfig, "is neither an ELF file nor a bzImage",
                    "give a vmlinux with a PVH entry or a bzImage, for x86-64");
}

result<void> check_room(const BootFile& file, const KernelPlan& plan,
                        std::span<const E820Entry> map) {
  GuestAddress low_end = 0;
  for (const auto& entry : map) {
    if (entry.type != MemoryType::Ram || entry.address >= kHoleStart) continue;
    if (plan.room.address >= entry.address && plan.room.end() <= entry.end()) return {};
    low_end = entry.end();
  }
  std::string hint;
  if (plan.room.end() > kHoleStart) {
    hint = "give a kernel for addresses below " + mib(kHoleStart);
  } else if (plan.room.end() > low_end) {
    hint = "give the machine at least " + mib(plan.room.end()) + " of memory";
  }
  return file.fault(ErrorCode::InvalidConfig,
                    "needs " + mib(plan.room.size) + " up to the address of " +
                        mib(plan.room.end()) + ", which the machine does not have or has reserved",
                    std::move(hint));
}

result<void> load_kernel(const memory::GuestMemory& memory, const BootFile& file,
                         const KernelPlan& plan, bool fresh) {
  for (const auto& piece : plan.pieces) {
    if (auto copied = copy_to_guest(memory, file, piece.offset, piece.address, piece.file_size);
        !copied)
      return copied;
    const auto bytes =
        memory.slice(piece.address + piece.file_size, piece.memory_size - piece.file_size);
    if (!bytes) return error(ErrorCode::Internal, "a piece of the kernel lies outside of RAM");
    if (!fresh) zero(*bytes);
  }
  return {};
}

}  // namespace capsa::kvm
