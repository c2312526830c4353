#pragma once

#include <sys/types.h>

#include <string>

namespace capsa::agent {

/// 0 or errno. With `parents` a directory that is there is as good as a new one.
int make_dir(const std::string& path, bool parents, mode_t mode);
/// The directory part: "/" for "/a", "." for "a".
std::string parent_of(const std::string& path);

}  // namespace capsa::agent
