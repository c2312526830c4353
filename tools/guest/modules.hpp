#pragma once

#include <capsa/result.hpp>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace capsa::guest {

/// What a kernel module says of itself in its .modinfo section.
struct ModuleInfo {
  std::vector<std::string> depends;  ///< modules it takes symbols from
  std::vector<std::string> first;    ///< modules it wants loaded before ("softdep: pre:")
};

/// Reads .modinfo from an uncompressed module. InvalidConfig for what is no module.
result<ModuleInfo> parse_module(std::string_view elf);

/// The kernel takes "-" and "_" for the same in a module's name; this has "_" only.
std::string module_name(std::string_view name);

/// The modules of one kernel below a directory: `lib/modules/VERSION`, as unpacked from a package
/// that was never installed, so without the indexes that depmod(8) makes.
class ModuleTree {
 public:
  /// NotFound where there is no `kernel` directory or no list of built-in modules.
  static result<ModuleTree> open(const std::filesystem::path& directory);

  bool has(std::string_view name) const { return files_.contains(module_name(name)); }
  bool is_built_in(std::string_view name) const { return built_in_.contains(module_name(name)); }

  /// Path below the tree's directory, without a compression's suffix: "kernel/fs/fuse/fuse.ko".
  std::filesystem::path path_of(std::string_view name) const;

  /// The module's bytes, unpacked. NotFound for an unknown one, else errors of unpack_stream().
  result<std::string> read(std::string_view name) const;

  /// Names of all modules needed for `wanted`, each after all it needs, in the order wanted.
  /// What is built in is left out. NotFound where a wanted or needed module does not exist,
  /// InvalidConfig where modules need one another in a circle.
  result<std::vector<std::string>> load_order(const std::vector<std::string>& wanted) const;

 private:
  ModuleTree() = default;

  std::filesystem::path directory_;
  std::map<std::string, std::filesystem::path> files_;
  std::set<std::string> built_in_;
};

}  // namespace capsa::guest
