#pragma once

#include <backends/block/request.hpp>
#include <cstdint>
#include <functional>

namespace capsa::block {

/// The unit of disks; every size and offset is a multiple of it.
inline constexpr std::uint32_t kSectorSize = 512;

/// What a store is and can do. Does not change while the store is open.
struct StoreInfo {
  std::uint64_t size = 0;  ///< bytes, a multiple of `block_size`
  bool read_only = false;
  bool discard = false;                      ///< takes Operation::Discard
  bool write_zeroes = false;                 ///< takes Operation::WriteZeroes
  std::uint32_t block_size = kSectorSize;    ///< a power of two; what offsets and lengths must fit
  std::uint32_t physical_block_size = 4096;  ///< a power of two; what is fast
  std::uint32_t discard_alignment = 4096;    ///< bytes; smaller pieces may free nothing
  std::uint32_t max_discard = 1U << 30;      ///< bytes of one Discard or WriteZeroes
};

/// Who uses a store: told of each request, then once for the batch.
class StoreClient {
 public:
  virtual ~StoreClient() = default;
  /// `error` is 0 or an errno. The request is the client's again. It may start others from here,
  /// but must not end the store.
  virtual void completed(Request& request, int error) = 0;
  /// No more completions for now; the moment to interrupt a guest once for all of them. The store
  /// may be ended from here.
  virtual void completions_end() = 0;
};

/// The bytes of one disk. Everything happens on one thread, that of the store's loop, and nothing
/// blocks. Requests complete in any order: who needs one must wait for it.
class BlockStore {
 public:
  virtual ~BlockStore() = default;

  virtual const StoreInfo& info() const noexcept = 0;
  /// Who is told. `client` outlives the store, or is replaced first (by nullptr where there is
  /// none). Only while nothing is in flight, or to drop what completes.
  virtual void attach(StoreClient* client) noexcept = 0;
  /// Takes a request; it may wait for submit(). completed() follows in any case, but never from
  /// in here. The client keeps to info(); a request that does not fails with an errno.
  virtual void start(Request& request) = 0;
  /// Lets go what was started: one call for a whole batch. May call the client back, and so the
  /// store may be gone when it returns.
  virtual void submit() = 0;
  /// Starts nothing any more (it fails with ESHUTDOWN) and gives everything up once all that is in
  /// flight has completed; then calls `done`, possibly from in here. It is not a Flush.
  /// A store destroyed without it waits for the kernel, which may block, and completes nothing.
  virtual void close(std::function<void()> done) = 0;
};

}  // namespace capsa::block
