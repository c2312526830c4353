#pragma once

#include <capsa/result.hpp>
#include <filesystem>
#include <string>
#include <tools/guest/kernel.hpp>
#include <vector>

namespace capsa::guest {

/// The contents of a guest's first file system.
struct InitrdParts {
  std::string agent;                 ///< becomes /init; a static program
  std::string busybox;               ///< becomes /bin/busybox; a static program
  std::vector<std::string> applets;  ///< paths that lead to busybox: "bin/ls"
  Kernel kernel;                     ///< modules become /lib/modules/VERSION/...
};

/// Packs them as an uncompressed cpio archive; the same parts give the same bytes.
///
/// Beside them: device nodes that a kernel wants before devtmpfs is there, mount points,
/// /etc/{passwd,group,hosts,resolv.conf,profile} and /etc/capsa/modules (one absolute path per
/// line, in load order, an empty line between groups). InvalidConfig where a program is not static.
result<std::string> build_initrd(const InitrdParts& parts);

/// A static busybox: the host's if it has one, else from Debian's package, unpacked in a directory
/// made below `root` for the time of the call.
struct Busybox {
  std::string program;
  std::vector<std::string> applets;
};
result<Busybox> find_busybox(const std::filesystem::path& root, const Progress& progress);

}  // namespace capsa::guest
