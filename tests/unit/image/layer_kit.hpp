#pragma once

#include <zlib.h>
#include <zstd.h>

#include <backends/image/digest.hpp>
#include <backends/image/layer.hpp>
#include <backends/program/program.hpp>
#include <boost/test/unit_test.hpp>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <tests/support/scratch_dir.hpp>
#include <tests/support/tar_builder.hpp>

namespace capsa::image::test {

inline std::string gzip(std::string_view bytes) {
  z_stream stream = {};
  if (::deflateInit2(&stream, 6, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    throw std::runtime_error("deflateInit2");
  std::string out(::deflateBound(&stream, bytes.size()) + 64, '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream.avail_in = static_cast<uInt>(bytes.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  if (::deflate(&stream, Z_FINISH) != Z_STREAM_END) throw std::runtime_error("deflate");
  out.resize(stream.total_out);
  ::deflateEnd(&stream);
  return out;
}

inline std::string zstd(std::string_view bytes) {
  std::string out(::ZSTD_compressBound(bytes.size()), '\0');
  out.resize(::ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 3));
  return out;
}

inline std::string content(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// One layer's way into an image, with right digests unless they are changed.
struct LayerBench {
  LayerBlob blob(const std::string& tar, const std::string& packed) {
    return {directory.file("blob", packed), sha256(packed), packed.size(), sha256(tar)};
  }
  result<std::uint64_t> unpack(const std::string& tar) { return unpack(tar, tar); }
  result<std::uint64_t> unpack(const std::string& tar, const std::string& packed) {
    return unpack_layer(blob(tar, packed), image, limits);
  }

  tests::ScratchDir directory;
  std::filesystem::path image = directory.path() / "image";
  LayerLimits limits;
};

/// False, and a message, where a program is missing.
inline bool have(const std::string& program) {
  if (program::run({.words = {"sh", "-c", "command -v " + program}})) return true;
  BOOST_TEST_MESSAGE("skipped: there is no " + program + " (package erofs-utils)");
  return false;
}

}  // namespace capsa::image::test
