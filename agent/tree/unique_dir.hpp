#pragma once

#include <dirent.h>

#include <memory>

namespace capsa::agent {

struct CloseDir {
  void operator()(DIR* dir) const { ::closedir(dir); }
};
using UniqueDir = std::unique_ptr<DIR, CloseDir>;

}  // namespace capsa::agent
