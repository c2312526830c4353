#include <linux/elf.h>

#include <algorithm>
#include <backends/kvm/boot/elf_notes.hpp>
#include <backends/kvm/boot/kernel_plan.hpp>
#include <limits>
#include <string>

namespace capsa::kvm {
namespace {

using Piece = KernelPlan::Piece;

/// Linux has about five. Bounds what we allocate and compare for a file that says otherwise.
constexpr std::size_t kMaxSegments = 64;
/// Linux has half a kB.
constexpr std::uint64_t kMaxNotes = 64 * 1024;

error damaged(const BootFile& file, const std::string& what) {
  return file.fault(ErrorCode::InvalidConfig, "is a damaged ELF file: " + what);
}

std::string architecture(std::uint16_t machine) {
  switch (machine) {
    case EM_386:
      return "32-bit x86";
    case EM_ARM:
      return "arm";
    case EM_AARCH64:
      return "arm64";
    case EM_RISCV:
      return "riscv";
    case EM_PPC64:
      return "ppc64";
    case EM_S390:
      return "s390";
    default:
      return "ELF machine " + std::to_string(machine);
  }
}

result<void> check_header(const BootFile& file, const Elf64_Ehdr& header) {
  const bool little = header.e_ident[EI_DATA] == ELFDATA2LSB;
  if (!little || header.e_machine != EM_X86_64) {
    return file.fault(ErrorCode::UnsupportedFeature,
                      "is for another architecture: " +
                          (little ? architecture(header.e_machine) : "a big-endian one"),
                      "give a kernel for x86-64");
  }
  if (header.e_ident[EI_CLASS] != ELFCLASS64)
    return file.fault(ErrorCode::UnsupportedFeature, "is a 32-bit ELF file",
                      "give a 64-bit kernel");
  if (header.e_type != ET_EXEC && header.e_type != ET_DYN)
    return file.fault(ErrorCode::InvalidConfig, "is an ELF file that is not linked",
                      "give the vmlinux, not one of its objects");
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum == 0 ||
      header.e_phnum > kMaxSegments)
    return damaged(file, "it has no program headers, or too many, or of another size");
  return {};
}

result<std::vector<Elf64_Phdr>> program_headers(const BootFile& file) {
  const auto header = file.load<Elf64_Ehdr>(0);
  if (!header) return header.error();
  if (auto checked = check_header(file, *header); !checked) return checked.error();
  std::vector<Elf64_Phdr> headers(header->e_phnum);
  if (auto got = file.read(header->e_phoff, std::as_writable_bytes(std::span(headers))); !got)
    return got.error();
  return headers;
}

result<Piece> piece_of(const BootFile& file, const Elf64_Phdr& header) {
  if (header.p_filesz > header.p_memsz) return damaged(file, "a segment has more bytes than room");
  if (!file.holds(header.p_offset, header.p_filesz))
    return damaged(file, "a segment lies outside of the file");
  if (header.p_memsz > std::numeric_limits<std::uint64_t>::max() - header.p_paddr)
    return damaged(file, "a segment ends beyond all addresses");
  // The tables that the guest is started with lie there.
  if (header.p_paddr < kHighMemoryStart)
    return file.fault(ErrorCode::UnsupportedFeature, "has a segment below the address of 1 MiB",
                      "give a vmlinux: it is linked to begin at 1 MiB or above");
  return Piece{header.p_offset, header.p_filesz, header.p_paddr, header.p_memsz};
}

/// Refuses overlaps: which bytes count would be a matter of order, and each byte of RAM is written
/// at most once, however the file repeats itself.
result<void> add_piece(const BootFile& file, std::vector<Piece>& pieces, const Piece& piece) {
  for (const auto& other : pieces) {
    if (piece.address < other.address + other.memory_size &&
        other.address < piece.address + piece.memory_size)
      return damaged(file, "two of its segments overlap");
  }
  pieces.push_back(piece);
  return {};
}

/// What its PT_NOTE segments say; none where they do not say it.
result<std::optional<std::uint64_t>> pvh_entry(const BootFile& file,
                                               std::span<const Elf64_Phdr> headers) {
  for (const auto& header : headers) {
    if (header.p_type != PT_NOTE) continue;
    if (header.p_filesz > kMaxNotes) return damaged(file, "its notes are larger than any kernel's");
    std::vector<std::byte> notes(header.p_filesz);
    if (auto got = file.read(header.p_offset, notes); !got) return got.error();
    if (const auto entry = find_pvh_entry(notes, header.p_align)) return entry;
  }
  return std::optional<std::uint64_t>{};
}

}  // namespace

result<KernelPlan> plan_elf(const BootFile& file) {
  const auto headers = program_headers(file);
  if (!headers) return headers.error();
  KernelPlan plan;
  GuestAddress begin = std::numeric_limits<GuestAddress>::max();
  GuestAddress end = 0;
  for (const auto& header : *headers) {
    if (header.p_type != PT_LOAD || header.p_memsz == 0) continue;
    const auto piece = piece_of(file, header);
    if (!piece) return piece.error();
    if (auto added = add_piece(file, plan.pieces, *piece); !added) return added.error();
    begin = std::min(begin, piece->address);
    end = std::max(end, piece->address + piece->memory_size);
  }
  if (plan.pieces.empty()) return damaged(file, "it has nothing to load");
  plan.room = {begin, end - begin};

  const auto entry = pvh_entry(file, *headers);
  if (!entry) return entry.error();
  if (!*entry) {
    return file.fault(ErrorCode::UnsupportedFeature, "has no PVH entry",
                      "build it with CONFIG_PVH=y, or give a bzImage");
  }
  plan.entry = **entry;
  const bool loaded =
      std::any_of(plan.pieces.begin(), plan.pieces.end(), [&plan](const Piece& piece) {
        return plan.entry >= piece.address && plan.entry - piece.address < piece.file_size;
      });
  if (!loaded) return damaged(file, "its PVH entry lies outside of its segments");
  return plan;
}

}  // namespace capsa::kvm
