#include <lz4.h>
#include <lzma.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <tools/guest/bytes.hpp>
#include <tools/guest/vmlinux.hpp>
#include <vector>

namespace capsa::guest {
namespace {

// The legacy LZ4 frame: a magic number, then blocks of at most 8 MiB, each after its packed size.
constexpr std::string_view kLz4Legacy = "\x02\x21\x4c\x18";
constexpr std::size_t kLz4Block = std::size_t{8} * 1024 * 1024;
constexpr std::string_view kXz{
    "\xfd"
    "7zXZ\0",
    6};
constexpr std::string_view kGzip = "\x1f\x8b";
// The kernel's build uses dictionaries of up to 32 MiB, and 128 MiB since 6.12.
constexpr std::uint64_t kXzMemory = std::uint64_t{160} * 1024 * 1024;
constexpr std::size_t kChunk = std::size_t{1} * 1024 * 1024;

error damaged(std::string_view format) {
  return {ErrorCode::InvalidConfig, "damaged " + std::string(format) + " data"};
}

error too_large(std::size_t limit) {
  return {ErrorCode::ResourceExhausted, "unpacks to more than " + std::to_string(limit) + " bytes"};
}

result<std::string> unpack_lz4(std::string_view packed, std::size_t limit) {
  std::string out;
  // Blocks do not refer to one another: one buffer serves all.
  std::vector<char> scratch(std::min(kLz4Block, limit + 1));
  std::uint64_t at = kLz4Legacy.size();
  while (at < packed.size()) {
    const auto size = read_le<std::uint32_t>(packed, at);
    if (!size) return damaged("LZ4");
    const auto block = slice(packed, at + 4, *size);
    if (!block || block->empty() ||
        block->size() > static_cast<std::size_t>(LZ4_compressBound(kLz4Block)))
      return damaged("LZ4");
    at += 4 + block->size();
    // One byte more than allowed, so that reaching the limit differs from passing it.
    const std::size_t room = std::min(kLz4Block, limit - out.size() + 1);
    const int n = LZ4_decompress_safe(block->data(), scratch.data(),
                                      static_cast<int>(block->size()), static_cast<int>(room));
    if (n < 0) return room < kLz4Block ? too_large(limit) : damaged("LZ4");
    out.append(scratch.data(), static_cast<std::size_t>(n));
    if (out.size() > limit) return too_large(limit);
  }
  return out;
}

/// Ends a decoder whichever way its function is left.
struct XzDecoder {
  lzma_stream stream = LZMA_STREAM_INIT;
  ~XzDecoder() { lzma_end(&stream); }
};
struct GzipDecoder {
  z_stream stream = {};
  ~GzipDecoder() { inflateEnd(&stream); }
};

result<std::string> unpack_xz(std::string_view packed, std::size_t limit) {
  XzDecoder decoder;
  if (lzma_stream_decoder(&decoder.stream, kXzMemory, 0) != LZMA_OK)
    return error(ErrorCode::ResourceExhausted, "no memory for the XZ decoder");
  decoder.stream.next_in = reinterpret_cast<const std::uint8_t*>(packed.data());
  decoder.stream.avail_in = packed.size();
  std::string out;
  for (;;) {
    const std::size_t before = out.size();
    const std::size_t room = std::min(kChunk, limit - before + 1);
    out.resize(before + room);
    decoder.stream.next_out = reinterpret_cast<std::uint8_t*>(out.data() + before);
    decoder.stream.avail_out = room;
    const lzma_ret outcome = lzma_code(&decoder.stream, LZMA_FINISH);
    out.resize(before + room - decoder.stream.avail_out);
    if (out.size() > limit) return too_large(limit);
    if (outcome == LZMA_STREAM_END && decoder.stream.avail_in == 0) return out;
    if (outcome != LZMA_OK) return damaged("XZ");
  }
}

result<std::string> unpack_gzip(std::string_view packed, std::size_t limit) {
  GzipDecoder decoder;
  if (inflateInit2(&decoder.stream, 16 + MAX_WBITS) != Z_OK)
    return error(ErrorCode::ResourceExhausted, "no memory for the gzip decoder");
  // zlib does not write to its input; its interface is older than const.
  decoder.stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  decoder.stream.avail_in = static_cast<uInt>(std::min<std::size_t>(packed.size(), UINT32_MAX));
  std::string out;
  for (;;) {
    const std::size_t before = out.size();
    const std::size_t room = std::min(kChunk, limit - before + 1);
    out.resize(before + room);
    decoder.stream.next_out = reinterpret_cast<Bytef*>(out.data() + before);
    decoder.stream.avail_out = static_cast<uInt>(room);
    const int outcome = inflate(&decoder.stream, Z_NO_FLUSH);
    out.resize(before + room - decoder.stream.avail_out);
    if (out.size() > limit) return too_large(limit);
    // What follows the stream is padding of the image; the checksum has been compared by now.
    if (outcome == Z_STREAM_END) return out;
    if (outcome != Z_OK) return damaged("gzip");
  }
}

std::string_view name_of(std::string_view packed) {
  if (packed.starts_with("\x28\xb5\x2f\xfd")) return "zstd";
  if (packed.starts_with("BZh")) return "bzip2";
  if (packed.starts_with("\x89LZO")) return "LZO";
  if (packed.starts_with("\x5d")) return "LZMA";
  return "an unknown compression";
}

}  // namespace

result<std::string> unpack_stream(std::string_view packed, std::size_t limit, bool size_follows) {
  if (packed.starts_with(kGzip)) return unpack_gzip(packed, limit);
  const bool lz4 = packed.starts_with(kLz4Legacy);
  if (!lz4 && !packed.starts_with(kXz))
    return error(ErrorCode::UnsupportedFeature,
                 "the data is packed with " + std::string(name_of(packed)),
                 "LZ4, XZ and gzip are understood");
  std::optional<std::uint32_t> size;
  if (size_follows) {
    if (packed.size() < 4) return damaged(lz4 ? "LZ4" : "XZ");
    size = read_le<std::uint32_t>(packed, packed.size() - 4);
    packed.remove_suffix(4);
    if (*size > limit) return too_large(limit);
  }
  auto out = lz4 ? unpack_lz4(packed, limit) : unpack_xz(packed, limit);
  if (out && size && out->size() != *size) return damaged(lz4 ? "LZ4" : "XZ");
  return out;
}

}  // namespace capsa::guest
