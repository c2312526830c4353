#pragma once

#include <capsa/result.hpp>
#include <cstddef>
#include <functional>
#include <memory>
#include <span>
#include <string_view>

namespace capsa::image {

/// Unpacks a stream that comes in pieces: gzip and zstd, also several of them in a row, as programs
/// that pack in parallel or for random access make them; and what is not packed at all.
class Decompressor {
 public:
  /// An error ends the unpacking, and comes back from feed().
  using Output = std::function<result<void>(std::span<const std::byte>)>;

  /// Told by the stream's first bytes. UnsupportedFeature for a known format of another kind.
  static result<std::unique_ptr<Decompressor>> create(std::span<const std::byte> first);
  virtual ~Decompressor() = default;

  /// Gives what it unpacks in pieces of at most kPiece bytes.
  virtual result<void> feed(std::span<const std::byte> bytes, const Output& output) = 0;
  /// No more bytes follow. InvalidConfig where the stream is cut off.
  virtual result<void> finish() = 0;

  static constexpr std::size_t kPiece = std::size_t{256} * 1024;
};

}  // namespace capsa::image
