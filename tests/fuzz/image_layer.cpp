#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <backends/image/decompressor.hpp>
#include <backends/image/layer_tree.hpp>
#include <cstdint>
#include <cstdlib>

// A layer's bytes as a registry may send them: unpacked, read as an archive, and written as a file
// system. The first byte says how they are cut into pieces. What is accepted must have a size of
// whole blocks.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace capsa::image;
  if (size < 2) return 0;
  static const int file = ::memfd_create("image", MFD_CLOEXEC);
  if (file < 0 || ::ftruncate(file, 0) != 0) std::abort();
  LayerLimits limits;
  limits.unpacked_bytes = std::uint64_t{1} << 20;
  limits.entries = 1000;
  limits.name_bytes = 1 << 16;

  ErofsWriter writer(file);
  LayerTree tree(writer, limits);
  TarReader reader(tree, limits);
  const std::size_t piece = data[0] == 0 ? size : std::size_t{data[0]} * 5;
  auto bytes = std::as_bytes(std::span(data, size)).subspan(1);
  const auto decompressor = Decompressor::create(bytes);
  if (!decompressor) return 0;
  std::uint64_t unpacked = 0;
  while (!bytes.empty()) {
    const auto part = bytes.first(std::min(piece, bytes.size()));
    bytes = bytes.subspan(part.size());
    const auto done = (*decompressor)->feed(part, [&](auto out) -> capsa::result<void> {
      unpacked += out.size();
      if (unpacked > limits.unpacked_bytes)
        return capsa::error(capsa::ErrorCode::InvalidConfig, "");
      return reader.feed(out);
    });
    if (!done) return 0;
  }
  if (!(*decompressor)->finish() || !reader.finish()) return 0;
  const std::array<std::byte, 16> id = {};
  const auto written = tree.finish(id);
  if (written && (*written % 4096 != 0 || *written < 4096)) std::abort();
  return 0;
}
