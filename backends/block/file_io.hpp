#pragma once

#include <backends/block/request.hpp>
#include <capsa/loop.hpp>
#include <capsa/result.hpp>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

namespace capsa::block {

/// One call to the kernel about a file, which may block there.
struct FileStep {
  enum class Kind : std::uint8_t {
    Nothing,
    Read,      ///< preadv2(2)
    Write,     ///< pwritev2(2)
    Sync,      ///< fdatasync(2)
    Allocate,  ///< fallocate(2) with `flags`
  };
  Kind kind = Kind::Nothing;
  int fd = -1;
  const iovec* buffers = nullptr;  ///< they and what they name stay until it has finished
  std::uint32_t count = 0;         ///< of buffers
  std::uint64_t offset = 0;
  std::uint64_t length = 0;  ///< Allocate
  int flags = 0;             ///< RWF_ of a Read or Write; the mode of an Allocate
};

/// Who has steps carried out.
class FileUser {
 public:
  virtual ~FileUser() = default;
  /// `outcome` is what the call gives, or a negative errno. May start further steps, and nothing
  /// else: no user ends in here.
  virtual void finished(Request& request, int outcome) = 0;
  /// Once for a batch of finished(). The user may end in here.
  virtual void batch_end() = 0;
};

/// Carries out steps for all disks of one loop. All calls and callbacks on the loop's thread, and
/// none of them blocks but wait_for().
class FileIo {
 public:
  virtual ~FileIo() = default;
  /// finished() follows, never from in here. The request's progress.owner is in use until then.
  virtual void start(FileUser& user, Request& request, const FileStep& step) = 0;
  /// Lets go what was started. May call users back, of which this caller may be one.
  virtual void submit() = 0;
  /// Waits until `in_flight`, which the user counts down in finished(), is zero, and then forgets
  /// the user. The others get their batch_end() later.
  virtual void wait_for(FileUser& user, const std::size_t& in_flight) = 0;
  /// For logs: "io_uring", "threads".
  virtual std::string_view name() const noexcept = 0;
};

/// io_uring where the kernel lets us, else threads: containers commonly forbid io_uring. The loop
/// outlives it. ResourceExhausted where there is neither.
result<std::shared_ptr<FileIo>> make_file_io(Loop& loop);

}  // namespace capsa::block
