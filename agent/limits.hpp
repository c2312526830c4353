#pragma once

#include <cstddef>
#include <cstdint>

/// Numbers both sides of the agent protocol agree on.
namespace capsa::agent {

inline constexpr std::uint32_t kAgentPort = 52;
inline constexpr std::uint32_t kProtocolMajor = 1;  ///< must be equal on both sides
inline constexpr std::uint32_t kProtocolMinor = 1;  ///< grows with additions a peer may not know

/// Largest frame: room for a command with its whole environment, little enough to buffer per
/// connection.
inline constexpr std::size_t kMaxFrame = std::size_t{1} << 20;
/// Largest piece of a byte stream in one frame: what a pipe holds, so that one stream's chunk never
/// keeps another waiting for long.
inline constexpr std::size_t kMaxChunk = std::size_t{64} << 10;
/// First credit for standard output and standard error.
inline constexpr std::uint64_t kOutputWindow = std::uint64_t{256} << 10;
/// First credit the guest gives for standard input; it buffers at most this much per program.
inline constexpr std::uint64_t kInputWindow = std::uint64_t{256} << 10;
/// First credit for file content, either way: several chunks in flight hide the round trip.
inline constexpr std::uint64_t kFileWindow = std::uint64_t{1} << 20;
/// Most credit a stream may have at once; beyond it lies a defect or an attack.
inline constexpr std::uint64_t kMaxWindow = std::uint64_t{16} << 20;
/// First credit for directory entries.
inline constexpr std::uint64_t kEntryWindow = 4096;
/// Directories within each other that a tree may have: each keeps a descriptor open on both sides.
inline constexpr std::size_t kMaxTreeDepth = 128;
/// Requests that may run at once on one connection: each may hold a few file descriptors.
inline constexpr std::size_t kMaxRequests = 1024;
/// Entropy one Hello may carry; the generator's state is smaller.
inline constexpr std::size_t kMaxEntropy = 512;

}  // namespace capsa::agent
