#pragma once

#include <backends/virtio/fs/dir_stream.hpp>
#include <backends/virtio/fs/fd_budget.hpp>
#include <cstdint>
#include <memory>
#include <unordered_map>

namespace capsa::virtio::fs {

/// An open regular file.
struct OpenFile {
  std::shared_ptr<const BudgetedFd> fd;
  std::uint64_t node;
};

/// An open directory and where its reader is.
struct OpenDirectory {
  std::shared_ptr<const BudgetedFd> fd;
  std::uint64_t node;
  DirStream stream;
};

/// What the guest has open, by the handles it got. A handle keeps its file whatever becomes of the
/// file's names and of its node id. Handles are never given out twice. How many there can be is
/// bounded by the budget of descriptors. Single-threaded.
class HandleTable {
 public:
  std::uint64_t add(OpenFile file) {
    files_.emplace(next_, std::move(file));
    return next_++;
  }
  std::uint64_t add(OpenDirectory directory) {
    directories_.emplace(next_, std::move(directory));
    return next_++;
  }

  /// Null where there is no such handle, or it is of the other kind.
  OpenFile* file(std::uint64_t handle) {
    const auto found = files_.find(handle);
    return found == files_.end() ? nullptr : &found->second;
  }
  OpenDirectory* directory(std::uint64_t handle) {
    const auto found = directories_.find(handle);
    return found == directories_.end() ? nullptr : &found->second;
  }

  void close_file(std::uint64_t handle) { files_.erase(handle); }
  void close_directory(std::uint64_t handle) { directories_.erase(handle); }
  void clear() {
    files_.clear();
    directories_.clear();
  }
  std::size_t size() const noexcept { return files_.size() + directories_.size(); }

 private:
  std::unordered_map<std::uint64_t, OpenFile> files_;
  std::unordered_map<std::uint64_t, OpenDirectory> directories_;
  std::uint64_t next_ = 1;
};

}  // namespace capsa::virtio::fs
