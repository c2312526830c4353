#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace capsa::tests {

/// Guests of a few bytes: 32-bit code in an ELF file with the PVH entry note
/// (XEN_ELFNOTE_PHYS32_ENTRY), which QEMU's microvm starts directly. Each first writes one byte to
/// the serial port, so a test can see that it runs.
namespace tiny_kernel {

inline constexpr std::uint32_t kLoadAddress = 0x100000;

inline void put(std::string& to, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i)
    to += static_cast<char>((value >> (8 * i)) & 0xff);
}

/// Wraps code into the file.
inline std::string elf(std::string_view code) {
  constexpr std::uint64_t kHeader = 64;
  constexpr std::uint64_t kProgramHeader = 56;
  std::string note;
  put(note, 4, 4);   // size of the name
  put(note, 8, 4);   // size of the value
  put(note, 18, 4);  // XEN_ELFNOTE_PHYS32_ENTRY
  note += std::string_view("Xen\0", 4);
  put(note, kLoadAddress, 8);
  const std::uint64_t note_at = kHeader + 2 * kProgramHeader;
  const std::uint64_t code_at = note_at + note.size();

  std::string file(
      "\x7f"
      "ELF\x02\x01\x01");
  file.append(9, '\0');
  put(file, 2, 2);   // ET_EXEC
  put(file, 62, 2);  // EM_X86_64
  put(file, 1, 4);
  put(file, kLoadAddress, 8);
  put(file, kHeader, 8);
  put(file, 0, 8);
  put(file, 0, 4);
  put(file, kHeader, 2);
  put(file, kProgramHeader, 2);
  put(file, 2, 2);  // program headers
  put(file, 0, 6);  // no sections
  const auto program_header = [&](int type, std::uint64_t at, std::uint64_t address,
                                  std::uint64_t size) {
    put(file, static_cast<std::uint64_t>(type), 4);
    put(file, 7, 4);
    put(file, at, 8);
    put(file, address, 8);
    put(file, address, 8);
    put(file, size, 8);
    put(file, size, 8);
    put(file, 4, 8);
  };
  program_header(1, code_at, kLoadAddress, code.size());  // PT_LOAD
  program_header(4, note_at, 0, note.size());             // PT_NOTE
  return file + note + std::string(code);
}

/// mov dx, 0x3f8; mov al, letter; out dx, al
inline std::string say(char letter) {
  return std::string("\x66\xba\xf8\x03\xb0", 5) + letter + '\xee';
}

inline const std::string kHaltForever("\xf4\xeb\xfd", 3);  // hlt; jmp back

/// Runs for ever.
inline std::string spin() {
  return elf(say('S') + std::string("\xeb\xfe", 2));
}

/// Halts with interrupts off: uses no CPU time.
inline std::string idle() {
  return elf(say('I') + '\xfa' + kHaltForever);
}

/// Triple-faults: loads an interrupt table of zeros, then int3.
inline std::string reset() {
  std::string code = say('R') + std::string("\x0f\x01\x1d", 3);
  put(code, kLoadAddress + 64, 4);
  code += '\xcc';
  code.resize(128, '\0');
  return elf(code);
}

/// Powers off by ACPI: S5 to the sleep register of the hardware-reduced machine
/// (hw/i386/microvm.c puts it there).
inline std::string power_off() {
  std::string code = say('P') + std::string("\xb0\x34\xa2", 3);
  put(code, 0xfea00200, 4);
  return elf(code + kHaltForever);
}

/// Tells the pvpanic device (port 0x505) that it panicked.
inline std::string panic() {
  return elf(say('!') + std::string("\x66\xba\x05\x05\xb0\x01\xee", 7) + kHaltForever);
}

}  // namespace tiny_kernel
}  // namespace capsa::tests
