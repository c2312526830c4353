#pragma once

#include <sys/stat.h>

#include <agent/tree/tree_failure.hpp>
#include <agent/tree/unique_dir.hpp>
#include <capsa/agent_types.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <optional>
#include <string>
#include <vector>

namespace capsa::agent {

namespace wire {
class TreeEntry;
class TreeRecord;
}  // namespace wire

/// Reads a file or a directory with all below it as a stream of TreeRecords, piece by piece: it
/// keeps one descriptor per level and nothing else. Each step is taken from a descriptor and
/// follows no symlink, so that who changes the tree meanwhile cannot lead it elsewhere. May block
/// on a disk; used by one thread at a time.
class TreeSource {
 public:
  TreeSource(std::string path, bool skip_special, TreeLimits limits = {});

  /// Appends some records, at most about kMaxChunk bytes and kEntriesPerRead entries. After a
  /// failure it is of no more use.
  std::optional<TreeFailure> read(std::string& out);
  /// Everything has been read.
  bool done() const { return done_; }
  const CopyStats& stats() const { return stats_; }

 private:
  using Outcome = std::optional<TreeFailure>;
  struct Level {
    UniqueDir dir;
    std::size_t parent_length;  // of path_, above it
  };

  Outcome begin(std::string& out);
  Outcome next_entry(std::string& out);
  Outcome add_opened(UniqueFd fd, std::string_view name, std::string& out);
  Outcome add_symlink(int dir, const char* name, const struct stat& status, std::string& out);
  Outcome add_special(std::string_view name, std::string& out);
  Outcome read_file(std::string& out);
  void end(std::string& out);
  Outcome count(std::uint64_t& kind);
  std::string below(std::string_view name) const;

  std::string path_;  // of the innermost directory or file
  bool skip_special_;
  TreeLimits limits_;
  bool begun_ = false;
  bool done_ = false;
  std::vector<Level> levels_;
  UniqueFd file_;                // the one that is being read
  std::size_t file_parent_ = 0;  // length of path_ above it
  std::uint64_t entries_ = 0;
  CopyStats stats_;
};

}  // namespace capsa::agent
