#pragma once

#include <sys/stat.h>

#include <agent/agent.pb.h>
#include <agent/tree/paths.hpp>
#include <string>

/// File operations that are done in one go. Each returns 0 or errno.
namespace capsa::agent::guest {

void fill_stat(const struct stat& from, wire::FileStat& to);
int stat_file(const std::string& path, bool follow, wire::FileStat& out);
/// A dangling symlink does not exist.
int file_exists(const std::string& path, bool& exists);
/// A file, a symlink itself, or an empty directory.
int remove_one(const std::string& path);

}  // namespace capsa::agent::guest
