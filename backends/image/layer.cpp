#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <backends/image/decompressor.hpp>
#include <backends/image/digest.hpp>
#include <backends/image/layer.hpp>
#include <backends/image/layer_tree.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <vector>

namespace capsa::image {
namespace {

constexpr std::size_t kChunk = std::size_t{256} * 1024;

error invalid(std::string what) {
  return {ErrorCode::InvalidConfig, std::move(what)};
}

result<UniqueFd> open_blob(const LayerBlob& blob) {
  // O_NONBLOCK: a FIFO would wait here for somebody who writes.
  UniqueFd fd(::open(blob.file.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd) return error_from_errno(errno, "open " + blob.file.string());
  struct stat status = {};
  if (::fstat(fd.get(), &status) != 0)
    return error_from_errno(errno, "look at " + blob.file.string());
  if (!S_ISREG(status.st_mode)) return invalid(blob.file.string() + " is not a file");
  return fd;
}

/// From the bytes of the file to the entries of the archive.
class Pipeline {
 public:
  Pipeline(int out, const LayerLimits& limits)
      : limits_(limits), writer_(out), tree_(writer_, limits), reader_(tree_, limits) {}

  result<void> feed(std::span<const std::byte> bytes) {
    packed_hash_.add(bytes);
    packed_ += bytes.size();
    if (!decompressor_) {
      auto made = Decompressor::create(bytes);
      if (!made) return made.error();
      decompressor_ = *std::move(made);
    }
    return decompressor_->feed(bytes, [this](auto unpacked) { return take(unpacked); });
  }

  result<std::uint64_t> finish(const LayerBlob& blob) {
    // The digests first: of an archive that is not the right one it matters little where it is
    // damaged, and nothing was published yet.
    if (packed_ != blob.size)
      return invalid("it has " + std::to_string(packed_) + " bytes, and the image says " +
                     std::to_string(blob.size));
    if (const auto found = packed_hash_.finish(); found != blob.digest)
      return invalid("its digest is wrong: " + found + " was found");
    if (decompressor_) {
      if (auto done = decompressor_->finish(); !done) return done.error();
    }
    if (const auto found = hash_.finish(); found != blob.diff_id)
      return invalid("its content is not " + blob.diff_id + ", as the image says: " + found +
                     " was found");
    if (auto done = reader_.finish(); !done) return done.error();
    std::array<std::byte, 16> id = {};
    const std::string hex = hex_of(blob.diff_id);
    for (std::size_t i = 0; i < id.size(); ++i)
      id[i] = static_cast<std::byte>(std::stoul(hex.substr(2 * i, 2), nullptr, 16));
    return tree_.finish(id);
  }

 private:
  result<void> take(std::span<const std::byte> bytes) {
    unpacked_ += bytes.size();
    if (unpacked_ > limits_.unpacked_bytes)
      return invalid("it unpacks to more than " + std::to_string(limits_.unpacked_bytes) +
                     " bytes");
    if (unpacked_ > limits_.ratio_free_bytes && unpacked_ / limits_.ratio > packed_)
      return invalid("it unpacks to more than " + std::to_string(limits_.ratio) +
                     " times its size: a decompression bomb");
    hash_.add(bytes);
    return reader_.feed(bytes);
  }

  LayerLimits limits_;
  ErofsWriter writer_;
  LayerTree tree_;
  TarReader reader_;
  std::unique_ptr<Decompressor> decompressor_;
  Sha256 packed_hash_;
  Sha256 hash_;
  std::uint64_t packed_ = 0;
  std::uint64_t unpacked_ = 0;
};

result<std::uint64_t> unpack(const LayerBlob& blob, int in, int out, const LayerLimits& limits,
                             const std::function<void(std::uint64_t)>& progress) {
  Pipeline pipeline(out, limits);
  std::vector<std::byte> chunk(kChunk);
  std::uint64_t total = 0;
  for (;;) {
    const auto n = ::read(in, chunk.data(), chunk.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return error_from_errno(errno, "read " + blob.file.string());
    if (n == 0) break;
    total += static_cast<std::uint64_t>(n);
    if (total > blob.size)
      return invalid("it has more bytes than the " + std::to_string(blob.size) +
                     " that the image says");
    const auto bytes = std::span(chunk).first(static_cast<std::size_t>(n));
    if (auto done = pipeline.feed(bytes); !done) return done.error();
    if (progress) progress(total);
  }
  auto size = pipeline.finish(blob);
  if (size && ::fsync(out) != 0) return error_from_errno(errno, "write the image of a layer");
  return size;
}

}  // namespace

result<std::uint64_t> unpack_layer(const LayerBlob& blob, const std::filesystem::path& target,
                                   const LayerLimits& limits,
                                   const std::function<void(std::uint64_t)>& progress) {
  const auto named = [&](const error& e) {
    return error(e.code(), "layer " + blob.digest + ": " + e.message(), e.hint());
  };
  for (const auto& digest : {blob.digest, blob.diff_id}) {
    if (auto checked = check_digest("layer", digest); !checked) return checked.error();
  }
  auto in = open_blob(blob);
  if (!in) return named(in.error());
  const UniqueFd out(::open(target.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
  if (!out) return named(error_from_errno(errno, "create " + target.string()));
  auto size = unpack(blob, in->get(), out.get(), limits, progress);
  if (size) return size;
  std::error_code ignored;
  std::filesystem::remove(target, ignored);
  return named(size.error());
}

}  // namespace capsa::image
