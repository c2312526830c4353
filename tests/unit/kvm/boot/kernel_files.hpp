#pragma once

#include <asm/bootparam.h>
#include <linux/elf.h>
#include <sys/mman.h>
#include <unistd.h>

#include <backends/kvm/boot/kernel_plan.hpp>
#include <backends/memory/guest_memory.hpp>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <tests/support/guest_file.hpp>
#include <vector>

namespace capsa::kvm::test {

/// Kernels of a few kB, to be bent: every number of them is open.
using capsa::test::make_guest_file;

inline UniqueFd file_of(std::string_view bytes) {
  UniqueFd fd(::memfd_create("kernel-image", MFD_CLOEXEC));
  if (!fd || ::write(fd.get(), bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size()))
    throw std::system_error(errno, std::generic_category(), "memfd for a kernel");
  return fd;
}

template <class T>
void append(std::string& to, const T& value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof value);
}

/// A note as ELF files have it, padded to `alignment`.
inline std::string note(std::string_view name, std::uint32_t type, std::string_view value,
                        std::size_t alignment = 4) {
  const auto pad = [alignment](std::string& bytes) {
    while (bytes.size() % alignment != 0)
      bytes += '\0';
  };
  std::string bytes;
  append(bytes, static_cast<std::uint32_t>(name.size()));
  append(bytes, static_cast<std::uint32_t>(value.size()));
  append(bytes, type);
  bytes += name;
  pad(bytes);
  bytes += value;
  pad(bytes);
  return bytes;
}

inline std::string pvh_note(std::uint64_t entry, std::size_t alignment = 4) {
  std::string value;
  append(value, entry);
  return note(std::string_view("Xen\0", 4), 18, value, alignment);
}

/// A vmlinux of two segments, the second with a .bss, and a segment of notes.
struct Vmlinux {
  static constexpr std::uint64_t kText = 0x100'0000;
  static constexpr std::uint64_t kData = 0x120'0000;
  static constexpr std::uint64_t kBss = 0x3000;

  std::string text = "text of a kernel" + std::string(0x200, '\x90');
  std::string data = "data of a kernel";
  std::string notes = pvh_note(kText + 8);
  Elf64_Ehdr header{};
  std::vector<Elf64_Phdr> segments;

  Vmlinux() {
    std::memcpy(header.e_ident,
                "\x7f"
                "ELF\x02\x01\x01",
                7);
    header.e_type = ET_EXEC;
    header.e_machine = EM_X86_64;
    header.e_version = 1;
    header.e_phoff = sizeof header;
    header.e_ehsize = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = 3;
    std::uint64_t at = sizeof header + 3 * sizeof(Elf64_Phdr);
    const auto add = [&](std::uint32_t type, std::uint64_t address, std::uint64_t size) {
      Elf64_Phdr segment{};
      segment.p_type = type;
      segment.p_offset = at;
      segment.p_paddr = address;
      segment.p_filesz = size;
      segment.p_memsz = size;
      segments.push_back(segment);
      at += size;
    };
    add(PT_LOAD, kText, text.size());
    add(PT_LOAD, kData, data.size());
    add(PT_NOTE, 0, notes.size());
    segments[1].p_memsz += kBss;
  }

  std::string bytes() const {
    std::string file;
    append(file, header);
    for (const auto& segment : segments)
      append(file, segment);
    return file + text + data + notes;
  }
};

/// A bzImage whose protected-mode code is `code`.
struct BzImage {
  static constexpr std::uint64_t kAddress = 0x100'0000;
  static constexpr std::uint64_t kRoom = 0x80'0000;

  setup_header header{};
  std::string code = std::string(0x200, '\x90') + "64-bit entry" + std::string(0x204, '\xf4');

  BzImage() {
    header.setup_sects = 1;
    header.syssize = static_cast<std::uint32_t>(code.size() / 16);
    header.boot_flag = 0xAA55;
    header.jump = 0x6AEB;  // ends behind kernel_info_offset
    header.header = 0x53726448;
    header.version = 0x020f;
    header.loadflags = LOADED_HIGH;
    header.initrd_addr_max = 0x7fff'ffff;
    header.kernel_alignment = 0x20'0000;
    header.relocatable_kernel = 1;
    header.xloadflags = XLF_KERNEL_64;
    header.cmdline_size = 2047;
    header.pref_address = kAddress;
    header.init_size = kRoom;
  }

  std::string bytes() const {
    std::string file(0x1f1, '\0');
    append(file, header);
    file.resize(1024, '\0');
    return file + code;
  }
};

inline result<KernelPlan> plan(std::string_view bytes) {
  const auto fd = file_of(bytes);
  return plan_kernel(BootFile::open(fd.get(), "kernel").value());
}

/// Memory of a machine, untouched: a sparse file.
inline std::shared_ptr<const memory::GuestMemory> make_memory(std::uint64_t memory_mb,
                                                              const UniqueFd& fd) {
  std::vector<memory::RegionSpec> regions;
  std::uint64_t offset = 0;
  for (const auto& range : ram_ranges(memory_mb)) {
    regions.push_back({range.address, range.size, 0, offset, fd.get()});
    offset += range.size;
  }
  return memory::GuestMemory::map(regions).value();
}

inline std::shared_ptr<const memory::GuestMemory> make_memory(std::uint64_t memory_mb) {
  return make_memory(memory_mb, make_guest_file(memory_mb * kMiB));
}

inline std::string text_at(const memory::GuestMemory& memory, GuestAddress address,
                           std::size_t size) {
  const auto bytes = memory.slice(address, size).value();
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

inline bool mentions(const error& what, std::string_view words) {
  return std::string_view(what.what()).find(words) != std::string_view::npos;
}

}  // namespace capsa::kvm::test
