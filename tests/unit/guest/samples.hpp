#pragma once

#include <lz4.h>
#include <lzma.h>
#include <stdlib.h>
#include <zlib.h>

#include <cstdint>
#include <filesystem>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace capsa::guest::samples {

/// A directory of this test, gone with it.
class Scratch {
 public:
  Scratch() {
    std::string name = std::filesystem::temp_directory_path() / "capsa-guest-XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() {
    std::error_code failed;
    std::filesystem::remove_all(path_, failed);
  }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

/// A variable of the environment, put back at the end.
class Variable {
 public:
  Variable(const char* name, const std::string& value) : name_(name) {
    if (const char* old = ::getenv(name)) old_ = old;
    had_ = ::getenv(name) != nullptr;
    ::setenv(name, value.c_str(), 1);
  }
  Variable(const Variable&) = delete;
  Variable& operator=(const Variable&) = delete;
  ~Variable() {
    if (had_)
      ::setenv(name_, old_.c_str(), 1);
    else
      ::unsetenv(name_);
  }

 private:
  const char* name_;
  std::string old_;
  bool had_ = false;
};

template <class T>
void put(std::string& out, std::uint64_t offset, T value) {
  if (out.size() < offset + sizeof(T)) out.resize(offset + sizeof(T));
  for (std::size_t i = 0; i < sizeof(T); ++i)
    out[offset + i] = static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i));
}

struct Segment {
  std::uint32_t type = 0;
  std::string content;
};
struct Section {
  std::string name;
  std::string content;
};

/// A 64-bit x86 ELF file with these segments and sections.
inline std::string make_elf(const std::vector<Segment>& segments,
                            const std::vector<Section>& sections = {}, std::uint16_t type = 2) {
  std::string out(
      "\x7f"
      "ELF\x02\x01\x01");
  out.resize(64);
  put<std::uint16_t>(out, 16, type);
  put<std::uint16_t>(out, 18, 62);
  put<std::uint64_t>(out, 32, 64);
  put<std::uint16_t>(out, 54, 56);
  put<std::uint16_t>(out, 56, static_cast<std::uint16_t>(segments.size()));
  out.resize(64 + 56 * segments.size());
  for (std::size_t i = 0; i < segments.size(); ++i) {
    put<std::uint32_t>(out, 64 + 56 * i, segments[i].type);
    put<std::uint64_t>(out, 64 + 56 * i + 8, out.size());
    put<std::uint64_t>(out, 64 + 56 * i + 32, segments[i].content.size());
    out += segments[i].content;
  }
  if (sections.empty()) return out;
  std::string names(1, '\0');
  std::string headers(64, '\0');
  const auto add = [&](const std::string& name, const std::string& content) {
    const std::size_t at = headers.size();
    headers.resize(at + 64);
    put<std::uint32_t>(headers, at, static_cast<std::uint32_t>(names.size()));
    put<std::uint32_t>(headers, at + 4, 1);
    put<std::uint64_t>(headers, at + 24, out.size());
    put<std::uint64_t>(headers, at + 32, content.size());
    names += name + '\0';
    out += content;
  };
  for (const auto& section : sections)
    add(section.name, section.content);
  const std::string name_of_names = ".shstrtab";
  add(name_of_names, names + name_of_names + '\0');
  put<std::uint64_t>(out, 40, out.size());
  put<std::uint16_t>(out, 58, 64);
  put<std::uint16_t>(out, 60, static_cast<std::uint16_t>(headers.size() / 64));
  put<std::uint16_t>(out, 62, static_cast<std::uint16_t>(headers.size() / 64 - 1));
  return out + headers;
}

inline std::string make_note(const std::string& owner, std::uint32_t type,
                             const std::string& content) {
  std::string out;
  put<std::uint32_t>(out, 0, static_cast<std::uint32_t>(owner.size() + 1));
  put<std::uint32_t>(out, 4, static_cast<std::uint32_t>(content.size()));
  put<std::uint32_t>(out, 8, type);
  out += owner + '\0';
  out.resize((out.size() + 3) & ~std::size_t{3});
  out += content;
  out.resize((out.size() + 3) & ~std::size_t{3});
  return out;
}

/// As the kernel's linker script makes it: code, and Xen's notes with the PVH entry among them.
inline std::string make_vmlinux(std::size_t code = 1000) {
  return make_elf({{1, std::string(code, '\x90')},
                   {4, make_note("Xen", 6, "linux") + make_note("GNU", 18, "no") +
                           make_note("Xen", 18, std::string(4, '\1'))}});
}

/// A program without an interpreter, hence static.
inline std::string make_program() {
  return make_elf({{1, "code"}});
}

inline std::string make_module(const std::string& modinfo) {
  return make_elf({}, {{".text", "code"}, {".modinfo", modinfo}}, 1);
}

inline std::string size_le(std::size_t size) {
  std::string out;
  put<std::uint32_t>(out, 0, static_cast<std::uint32_t>(size));
  return out;
}

inline std::string pack_lz4(std::string_view data, std::size_t block = 8 * 1024 * 1024) {
  std::string out("\x02\x21\x4c\x18");
  for (std::size_t at = 0; at < data.size(); at += block) {
    const auto part = data.substr(at, block);
    std::string packed(static_cast<std::size_t>(LZ4_compressBound(static_cast<int>(part.size()))),
                       '\0');
    packed.resize(static_cast<std::size_t>(LZ4_compress_default(part.data(), packed.data(),
                                                                static_cast<int>(part.size()),
                                                                static_cast<int>(packed.size()))));
    out += size_le(packed.size()) + packed;
  }
  return out;
}

/// With the x86 filter, as the kernel's build has it.
inline std::string pack_xz(std::string_view data) {
  lzma_options_lzma options;
  lzma_lzma_preset(&options, 1);
  lzma_filter filters[] = {
      {LZMA_FILTER_X86, nullptr}, {LZMA_FILTER_LZMA2, &options}, {LZMA_VLI_UNKNOWN, nullptr}};
  std::string out(lzma_stream_buffer_bound(data.size()), '\0');
  std::size_t size = 0;
  const auto outcome = lzma_stream_buffer_encode(
      filters, LZMA_CHECK_CRC32, nullptr, reinterpret_cast<const std::uint8_t*>(data.data()),
      data.size(), reinterpret_cast<std::uint8_t*>(out.data()), &size, out.size());
  if (outcome != LZMA_OK) throw std::runtime_error("no XZ encoder");
  out.resize(size);
  return out;
}

inline std::string pack_gzip(std::string_view data) {
  z_stream stream = {};
  deflateInit2(&stream, 9, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, data.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  stream.avail_in = static_cast<uInt>(data.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(out.size() - stream.avail_out);
  deflateEnd(&stream);
  return out;
}

/// A bzImage around a payload (with the size behind it where the format wants one).
inline std::string make_bzimage(const std::string& payload, std::uint8_t setup_sectors = 4) {
  constexpr std::uint32_t kOffset = 300;
  std::string out;
  const std::size_t code = (std::size_t{setup_sectors == 0 ? 4U : setup_sectors} + 1) * 512;
  put<std::uint8_t>(out, 0x1f1, setup_sectors);
  put<std::uint16_t>(out, 0x1fe, 0xaa55);
  put<std::uint32_t>(out, 0x202, 0x53726448);
  put<std::uint16_t>(out, 0x206, 0x020f);
  put<std::uint32_t>(out, 0x248, kOffset);
  put<std::uint32_t>(out, 0x24c, static_cast<std::uint32_t>(payload.size()));
  out.resize(code + kOffset);
  return out + payload + std::string(64, '\0');
}

}  // namespace capsa::guest::samples
