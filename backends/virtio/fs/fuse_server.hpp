#pragma once

#include <linux/fuse.h>
#include <sys/uio.h>

#include <backends/virtio/fs/config.hpp>
#include <backends/virtio/fs/protocol.hpp>
#include <capsa/result.hpp>
#include <cstddef>
#include <memory>
#include <optional>
#include <span>

namespace capsa::virtio::fs {

class Operations;

/// One request as it was taken from the guest.
struct FuseRequest {
  /// Our copy of its first copied_bytes(): header, structure, names.
  std::span<const std::byte> bytes;
  /// What follows them: the payload of WRITE, still in guest memory.
  std::span<const iovec> data_in;
  /// Where a reply can be put, behind room for its header. READ puts its data there itself.
  std::span<const iovec> data_out;
  /// False where there is not even room for a header.
  bool can_reply = true;
};

/// What is to be given back.
struct FuseReply {
  /// Nothing where the guest expects no reply. Its `len` counts all that follows.
  std::optional<fuse_out_header> header;
  /// To be copied to data_out. Valid until the next request; empty where READ has put data there.
  std::span<const std::byte> body;
};

/// A FUSE server for one host directory: bytes in, bytes out. Nothing a guest sends reaches outside
/// of the directory, fails an assertion or throws. Used by one thread at a time (any); blocks as
/// the host's file system does.
class FuseServer {
 public:
  /// InvalidConfig, NotFound or PermissionDenied for the directory or the ownership asked for,
  /// UnsupportedFeature where the kernel lacks openat2(2).
  static result<std::unique_ptr<FuseServer>> create(const ShareConfig& config);
  ~FuseServer();

  /// Carries out one request of virtio 1.2, 5.11.6.
  FuseReply handle(const FuseRequest& request);
  /// Forgets all that the guest knows and closes what it has open: the device was reset.
  void reset();

  /// Descriptors held at this moment, and how many there may be.
  std::size_t open_fds() const noexcept;
  std::size_t max_open_fds() const noexcept;
  /// Files that the guest knows, the root included.
  std::size_t known_inodes() const noexcept;
  /// Lookups of a node that the guest has not taken back; 0 for the root and unknown ids.
  std::uint64_t lookups(std::uint64_t node) const noexcept;
  /// Files and directories that the guest has open.
  std::size_t open_handles() const noexcept;

 private:
  explicit FuseServer(std::unique_ptr<Operations> operations);

  std::unique_ptr<Operations> operations_;
  ReplyBody body_;
  bool file_size_limited_ = false;
};

}  // namespace capsa::virtio::fs
