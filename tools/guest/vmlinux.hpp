#pragma once

#include <capsa/result.hpp>
#include <cstddef>
#include <string>
#include <string_view>

namespace capsa::guest {

/// The largest kernel that is unpacked: five times a distribution's.
inline constexpr std::size_t kMaxKernel = std::size_t{256} * 1024 * 1024;

/// The ELF vmlinux inside a bzImage (Linux x86 boot protocol 2.08 or later: payload_offset and
/// payload_length), compressed with LZ4, XZ or gzip, or not at all. An ELF file is taken as it is.
/// What comes out is checked by check_vmlinux(). InvalidConfig for what is no kernel or is damaged,
/// UnsupportedFeature for another compression, ResourceExhausted where it is larger than `limit`.
result<std::string> unpack_vmlinux(std::string_view image, std::size_t limit = kMaxKernel);

/// Checks that this is a 64-bit x86 ELF program whose segments lie in the file, and that it has the
/// PVH entry note (XEN_ELFNOTE_PHYS32_ENTRY) by which machines without firmware start it.
result<void> check_vmlinux(std::string_view elf);

/// Unpacks one complete compressed stream; formats and errors as unpack_vmlinux().
/// The kernel's build appends the unpacked size to an LZ4 or XZ stream: `size_follows`.
result<std::string> unpack_stream(std::string_view packed, std::size_t limit, bool size_follows);

}  // namespace capsa::guest
