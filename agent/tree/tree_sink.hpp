#pragma once

#include <agent/codec.hpp>
#include <agent/tree/tree_failure.hpp>
#include <capsa/agent_types.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace capsa::agent {

namespace wire {
class TreeEntry;
class TreeRecord;
}  // namespace wire

/// Makes a file or a directory with all below it of a stream of TreeRecords. The stream is not
/// trusted: on the host it comes from a guest. A name is one component; every step is taken from
/// the descriptor of the directory it lies in and follows no symlink, be it one that was there, or
/// one that the stream has just made. So nothing is written but `path` and what lies below it.
/// Permission bits are taken over without set-id: whoever writes owns the copy, and did not ask for
/// that. A file is there whole or not at all. May block on a disk; used by one thread at a time.
class TreeSink {
 public:
  explicit TreeSink(std::string path, TreeLimits limits = {});
  ~TreeSink();  ///< a half-written file is removed
  TreeSink(const TreeSink&) = delete;
  TreeSink& operator=(const TreeSink&) = delete;

  /// Bytes of the stream, in pieces of any size. After a failure it is of no more use.
  std::optional<TreeFailure> feed(std::span<const std::byte> bytes);
  /// The stream is over: Malformed where the tree is not.
  std::optional<TreeFailure> finish() const;
  const CopyStats& stats() const { return stats_; }

 private:
  using Outcome = std::optional<TreeFailure>;
  struct Level {
    UniqueFd dir;
    std::size_t parent_length;  // of path_, above it
    bool made;                  // by us; else it keeps its permissions
    unsigned mode;
    std::int64_t mtime_ns;
  };
  struct File {
    UniqueFd fd;
    std::string temporary;
    std::string name;
    unsigned mode = 0;
    std::int64_t mtime_ns = 0;
  };

  Outcome on_record(const wire::TreeRecord& record);
  Outcome check_entry(const wire::TreeEntry& entry, bool may_be_first);
  Outcome open_directory(const wire::TreeEntry& entry);
  Outcome open_first_directory(const wire::TreeEntry& entry);
  Outcome open_file(const wire::TreeEntry& entry);
  Outcome make_symlink(const wire::TreeEntry& entry);
  Outcome write(const std::string& content);
  Outcome end_file();
  Outcome end_directory();
  Outcome count(std::uint64_t& kind);
  int innermost() const;
  std::string below(const std::string& name) const;

  std::string path_;  // of the innermost directory
  TreeLimits limits_;
  FrameSplitter splitter_;
  bool begun_ = false;
  bool done_ = false;
  UniqueFd above_;  // where the first lies, if that is a file
  std::vector<Level> levels_;
  std::optional<File> file_;  // the one that is being written
  std::uint64_t entries_ = 0;
  CopyStats stats_;
};

}  // namespace capsa::agent
