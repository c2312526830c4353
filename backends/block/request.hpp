#pragma once

#include <sys/uio.h>

#include <cstdint>
#include <vector>

namespace capsa::block {

enum class Operation : std::uint8_t {
  Nothing,      ///< touches nothing and completes in its turn: for what the client answers itself
  Read,         ///< into `buffers`
  Write,        ///< from `buffers`
  Flush,        ///< all writes that completed before it was started are on the medium
  Discard,      ///< the bytes are not needed any more; what they read as afterwards is open
  WriteZeroes,  ///< the bytes read as zero afterwards
};

/// One request to a store. The client makes it and keeps it, and all memory that `buffers` names,
/// unchanged and in place from BlockStore::start() to StoreClient::completed(); then it may be used
/// again, so that nothing is allocated per request. A plain value otherwise.
struct Request {
  Operation operation = Operation::Nothing;
  /// Write, WriteZeroes: on the medium before it completes, as if a Flush came with it.
  bool durable = false;
  /// WriteZeroes: the space may be given back to the host.
  bool may_unmap = false;
  /// In bytes; both multiples of the store's block size, and all of it within the store's size.
  std::uint64_t offset = 0;
  std::uint64_t length = 0;
  /// Read, Write: at most kMaxBuffers, none empty, `length` bytes in all. Usually guest memory: a
  /// store hands them to the kernel and never looks inside. It may consume the list on the way.
  std::vector<iovec> buffers;

  /// The store's notes on a request under way; nobody else reads or writes them.
  struct Progress {
    void* owner = nullptr;
    std::uint64_t done = 0;       ///< bytes
    std::uint32_t next = 0;       ///< index of the first buffer not yet used up
    std::uint32_t pieces = 0;     ///< sent and not yet answered
    int error = 0;                ///< the first errno met
    std::uint8_t stage = 0;       ///< what a request of several steps is at
    std::vector<std::byte> copy;  ///< for stores that cannot take `buffers` as they lie
  };
  Progress progress;
};

/// IOV_MAX of Linux: what one preadv(2) takes.
inline constexpr std::size_t kMaxBuffers = 1024;

}  // namespace capsa::block
