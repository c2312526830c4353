#define ZLIB_CONST
#include <zlib.h>
#include <zstd.h>

#include <backends/image/decompressor.hpp>
#include <new>
#include <vector>

namespace capsa::image {
namespace {

error damaged(std::string_view format) {
  return {ErrorCode::InvalidConfig, "the " + std::string(format) + " data is damaged"};
}

class Stored final : public Decompressor {
 public:
  result<void> feed(std::span<const std::byte> bytes, const Output& output) override {
    return output(bytes);
  }
  result<void> finish() override { return {}; }
};

class Gzip final : public Decompressor {
 public:
  Gzip() : buffer_(kPiece) {
    constexpr int kGzipOnly = 16 + MAX_WBITS;
    if (::inflateInit2(&stream_, kGzipOnly) != Z_OK) throw std::bad_alloc();
  }
  Gzip(const Gzip&) = delete;
  Gzip& operator=(const Gzip&) = delete;
  ~Gzip() override { ::inflateEnd(&stream_); }

  result<void> feed(std::span<const std::byte> bytes, const Output& output) override {
    stream_.next_in = reinterpret_cast<const Bytef*>(bytes.data());
    stream_.avail_in = static_cast<uInt>(bytes.size());
    bool more = false;  // a full buffer: there may be more to come without further input
    while (stream_.avail_in != 0 || more) {
      if (ended_) {
        // What follows an end must be another member: nothing else may hide there.
        if (::inflateReset(&stream_) != Z_OK) return damaged("gzip");
        ended_ = false;
      }
      stream_.next_out = reinterpret_cast<Bytef*>(buffer_.data());
      stream_.avail_out = static_cast<uInt>(buffer_.size());
      const int outcome = ::inflate(&stream_, Z_NO_FLUSH);
      if (outcome != Z_OK && outcome != Z_STREAM_END && outcome != Z_BUF_ERROR)
        return damaged("gzip");
      ended_ = outcome == Z_STREAM_END;
      more = !ended_ && stream_.avail_out == 0;
      const std::size_t made = buffer_.size() - stream_.avail_out;
      if (made == 0) continue;
      if (auto taken = output(std::span(buffer_).first(made)); !taken) return taken;
    }
    return {};
  }
  result<void> finish() override { return ended_ ? result<void>() : damaged("gzip"); }

 private:
  z_stream stream_ = {};
  std::vector<std::byte> buffer_;
  bool ended_ = false;
};

class Zstd final : public Decompressor {
 public:
  Zstd() : stream_(::ZSTD_createDStream()), buffer_(kPiece) {
    if (stream_ == nullptr) throw std::bad_alloc();
    // The memory that a stream may demand: 128 MiB, what the format asks every reader to have 8 of.
    ::ZSTD_DCtx_setParameter(stream_, ZSTD_d_windowLogMax, 27);
  }
  Zstd(const Zstd&) = delete;
  Zstd& operator=(const Zstd&) = delete;
  ~Zstd() override { ::ZSTD_freeDStream(stream_); }

  result<void> feed(std::span<const std::byte> bytes, const Output& output) override {
    ZSTD_inBuffer in = {bytes.data(), bytes.size(), 0};
    bool more = false;
    while (in.pos != in.size || more) {
      ZSTD_outBuffer out = {buffer_.data(), buffer_.size(), 0};
      const std::size_t outcome = ::ZSTD_decompressStream(stream_, &out, &in);
      if (::ZSTD_isError(outcome) != 0) return damaged("zstd");
      ended_ = outcome == 0;
      more = !ended_ && out.pos == out.size;
      if (out.pos == 0) continue;
      if (auto taken = output(std::span(buffer_).first(out.pos)); !taken) return taken;
    }
    return {};
  }
  result<void> finish() override { return ended_ ? result<void>() : damaged("zstd"); }

 private:
  ZSTD_DStream* stream_;
  std::vector<std::byte> buffer_;
  bool ended_ = false;
};

}  // namespace

result<std::unique_ptr<Decompressor>> Decompressor::create(std::span<const std::byte> first) {
  const std::string_view text(reinterpret_cast<const char*>(first.data()), first.size());
  const auto starts = [&](std::string_view magic) { return text.starts_with(magic); };
  if (starts("\x1f\x8b")) return std::unique_ptr<Decompressor>(std::make_unique<Gzip>());
  const bool skippable = text.size() >= 4 && (text[0] & 0xf0) == 0x50 && text[1] == '\x2a' &&
                         text[2] == '\x4d' && text[3] == '\x18';
  if (starts("\x28\xb5\x2f\xfd") || skippable)
    return std::unique_ptr<Decompressor>(std::make_unique<Zstd>());
  const char* other = starts("BZh") ? "bzip2"
                      : starts(
                            "\xfd"
                            "7zXZ")
                          ? "xz"
                          : nullptr;
  if (other != nullptr)
    return error(ErrorCode::UnsupportedFeature, "it is packed with " + std::string(other),
                 "layers are plain, gzip or zstd");
  return std::unique_ptr<Decompressor>(std::make_unique<Stored>());
}

}  // namespace capsa::image
