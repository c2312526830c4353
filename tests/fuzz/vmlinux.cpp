#include <cstddef>
#include <cstdint>
#include <string_view>
#include <tools/guest/modules.hpp>
#include <tools/guest/vmlinux.hpp>

// A kernel image, then the same bytes as a module: what a package brings into the cache.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  // Small, so that passing it is cheap and common.
  constexpr std::size_t kLimit = std::size_t{1} << 16;
  static_cast<void>(capsa::guest::unpack_vmlinux(bytes, kLimit).ok());
  static_cast<void>(capsa::guest::unpack_stream(bytes, kLimit, false).ok());
  static_cast<void>(capsa::guest::parse_module(bytes).ok());
  return 0;
}
