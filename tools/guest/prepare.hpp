#pragma once

#include <capsa/guest.hpp>
#include <capsa/result.hpp>
#include <filesystem>
#include <optional>
#include <tools/guest/apt.hpp>

namespace capsa::guest {

struct PrepareOptions {
  /// As guest_cache() takes it.
  std::optional<std::filesystem::path> cache_dir = {};
  /// Build the small kernel from source (minutes) instead of taking the distribution's.
  bool tuned = false;
  /// Make the kernel and the guest anew, whatever the cache holds of them; what is there stays in
  /// use until then.
  bool force = false;
  /// The agent that becomes /init; empty: the one that comes with this library.
  std::filesystem::path agent = {};
  /// Compilers at once; 0: one per CPU.
  unsigned jobs = 0;
  /// Called on the calling thread as the work goes on; may be empty.
  Progress progress = {};
};

/// Makes the guest's kernel and initrd in the cache, or finds that they are there already; what
/// find_guest() returns from then on. Installs nothing on the host. Several processes may do this
/// at once: they take turns, and the later ones find the work done. Blocks, for minutes where a
/// kernel is compiled. Errors: see stock_kernel(), tuned_kernel(), build_initrd().
result<GuestAssets> prepare(const PrepareOptions& options);

}  // namespace capsa::guest
