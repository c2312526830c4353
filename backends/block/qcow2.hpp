#pragma once

#include <capsa/result.hpp>
#include <cstdint>
#include <filesystem>
#include <string>

namespace capsa::block {

/// What the beginning of a qcow2 file says. The file is foreign: nothing of it is checked but that
/// it is one.
struct Qcow2Header {
  std::uint32_t version = 0;
  std::uint64_t size = 0;  ///< of the disk, bytes
  bool backing = false;    ///< names an image beneath it
  bool external_data = false;
};

/// Opens and reads it. The code of the errno, or InvalidConfig where it is no qcow2 image; the
/// message names the file.
result<Qcow2Header> read_qcow2_header(const std::filesystem::path& image);

/// 64 TiB. A limit of ours: the tables of such an image take a MiB.
inline constexpr std::uint64_t kMaxQcow2Bytes = std::uint64_t{64} << 40;

/// Makes an empty file an image of so many bytes (a multiple of 512, at most kMaxQcow2Bytes) in
/// which nothing is written yet: it reads as zeroes, or as what lies beneath it. It names no other
/// file: what lies beneath is said to whoever opens it. `name` is for the message of an error.
result<void> write_empty_qcow2(int fd, std::uint64_t bytes, const std::string& name);

}  // namespace capsa::block
