#pragma once

#include <array>
#include <backends/image/limits.hpp>
#include <backends/image/tar_header.hpp>
#include <capsa/result.hpp>
#include <cstddef>
#include <span>
#include <string>

namespace capsa::image {

/// What is done with an archive's entries. An error ends the reading.
class TarSink {
 public:
  virtual ~TarSink() = default;
  virtual result<void> begin(TarEntry entry) = 0;
  /// The content of a File, in pieces; `size` bytes in all before end().
  virtual result<void> data(std::span<const std::byte> bytes) = 0;
  virtual result<void> end() = 0;
};

/// Reads a tar archive that comes in pieces of any size: ustar, GNU tar's long names, and the
/// extended headers of pax. Whoever made it is not trusted. Keeps one extended header at a time.
class TarReader {
 public:
  TarReader(TarSink& sink, const LayerLimits& limits) : sink_(sink), limits_(limits) {}

  result<void> feed(std::span<const std::byte> bytes);
  /// No more bytes follow. InvalidConfig where an entry has been cut off.
  result<void> finish();

 private:
  enum class State : std::uint8_t { Header, Content, Extension, Padding, End };

  result<void> take_header();
  result<void> begin_extension(const TarHeader& header);
  result<void> end_extension();
  result<void> begin_entry(TarHeader header);
  void skip_padding(std::uint64_t size);

  TarSink& sink_;
  LayerLimits limits_;
  State state_ = State::Header;
  std::array<std::byte, kTarBlock> block_ = {};
  std::size_t filled_ = 0;
  std::uint64_t left_ = 0;     // of the content or extension
  std::uint64_t padding_ = 0;  // behind it
  char extension_ = 0;
  std::string text_;
  // For the entry to come.
  PaxRecords pax_;
  bool pending_ = false;
  std::optional<std::string> long_path_;
  std::optional<std::string> long_link_;
  std::uint64_t entries_ = 0;
};

}  // namespace capsa::image
