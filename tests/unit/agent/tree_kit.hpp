#pragma once

#include <agent/agent.pb.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <agent/codec.hpp>
#include <agent/tree/tree_sink.hpp>
#include <agent/tree/tree_source.hpp>

#include <boost/test/unit_test.hpp>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "scratch_dir.hpp"

namespace capsa::agent::test {

/// What a copy must keep of one entry.
struct Kept {
  mode_t mode = 0;  // with its kind
  std::int64_t mtime_ns = 0;
  std::string content;  // or a link's target
  bool operator==(const Kept&) const = default;
};

inline struct stat lstat_of(const std::string& path) {
  struct stat status {};
  BOOST_REQUIRE_MESSAGE(::lstat(path.c_str(), &status) == 0, path);
  return status;
}

/// All below a directory, by path relative to it; "" is the directory itself.
inline std::map<std::string, Kept> all_below(const std::string& root) {
  std::map<std::string, Kept> out;
  const auto add = [&](const std::string& path, const std::string& name) {
    const auto status = lstat_of(path);
    auto& kept = out[name];
    kept.mode = status.st_mode;
    kept.mtime_ns = status.st_mtim.tv_sec * 1'000'000'000LL + status.st_mtim.tv_nsec;
    if (S_ISREG(status.st_mode)) kept.content = contents(path);
    if (S_ISLNK(status.st_mode)) kept.content = std::filesystem::read_symlink(path).string();
  };
  add(root, "");
  for (const auto& entry : std::filesystem::recursive_directory_iterator(root))
    add(entry.path().string(), entry.path().lexically_relative(root).string());
  return out;
}

inline void set_time(const std::string& path, std::int64_t seconds, long ns = 0) {
  const timespec times[2] = {{seconds, 0}, {seconds, ns}};
  BOOST_REQUIRE(::utimensat(AT_FDCWD, path.c_str(), times, AT_SYMLINK_NOFOLLOW) == 0);
}

/// A directory with one of everything that is copied.
inline void make_sample(const std::string& root) {
  namespace fs = std::filesystem;
  fs::create_directories(root + "/sub/empty");
  put(root + "/program", "#!/bin/sh\n");
  put(root + "/sub/secret", std::string(200'000, 'x'));
  put(root + "/sub/nothing", "");
  fs::create_symlink("sub/secret", root + "/inside");
  fs::create_symlink("/etc/passwd", root + "/outside");
  fs::create_symlink("no such file", root + "/sub/dangling");
  ::chmod((root + "/program").c_str(), 0755);
  ::chmod((root + "/sub/secret").c_str(), 0600);
  ::chmod((root + "/sub/nothing").c_str(), 0444);
  ::chmod((root + "/sub/empty").c_str(), 01777);
  ::chmod((root + "/sub").c_str(), 0750);
  // From the inside out: what is made in a directory changes its time.
  set_time(root + "/program", 1'000'000'000, 123'456'789);
  set_time(root + "/sub/secret", -1, 5);  // before 1970
  set_time(root + "/outside", 1'100'000'000);
  set_time(root + "/sub/empty", 1'200'000'000);
  set_time(root + "/sub", 1'300'000'000);
  set_time(root, 1'400'000'000);
}

/// The whole stream of a tree, or why there is none.
inline std::optional<TreeFailure> read_all(TreeSource& source, std::string& out) {
  while (!source.done()) {
    std::string piece;
    if (auto failure = source.read(piece)) return failure;
    BOOST_REQUIRE(!piece.empty());
    BOOST_REQUIRE(piece.size() <= 2 * kMaxChunk);
    out += piece;
  }
  return std::nullopt;
}

inline std::optional<TreeFailure> write_all(TreeSink& sink, std::string_view bytes,
                                            std::size_t piece = 1000) {
  for (; !bytes.empty(); bytes.remove_prefix(std::min(piece, bytes.size())))
    if (auto failure = sink.feed(as_bytes(bytes.substr(0, piece)))) return failure;
  return sink.finish();
}

/// A stream made by hand, as a guest may make it.
class Records {
 public:
  Records& directory(const std::string& name, unsigned mode = 0755) {
    wire::TreeRecord record;
    record.mutable_directory()->set_name(name);
    record.mutable_directory()->set_mode(mode);
    return add(record);
  }
  Records& file(const std::string& name, unsigned mode = 0644) {
    wire::TreeRecord record;
    record.mutable_file()->set_name(name);
    record.mutable_file()->set_mode(mode);
    return add(record);
  }
  Records& symlink(const std::string& name, const std::string& target) {
    wire::TreeRecord record;
    record.mutable_symlink()->set_name(name);
    record.mutable_symlink()->set_target(target);
    return add(record);
  }
  Records& content(const std::string& piece) {
    wire::TreeRecord record;
    record.set_content(piece);
    return add(record);
  }
  Records& skipped(const std::string& name) {
    wire::TreeRecord record;
    record.mutable_skipped()->set_name(name);
    return add(record);
  }
  Records& end() {
    wire::TreeRecord record;
    record.mutable_end();
    return add(record);
  }
  Records& add(const wire::TreeRecord& record) {
    BOOST_REQUIRE(append_frame(record, bytes));
    return *this;
  }

  std::string bytes;
};

}  // namespace capsa::agent::test
