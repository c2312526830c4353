#include <actors/guest/cache.hpp>
#include <algorithm>
#include <functional>
#include <sstream>
#include <tools/guest/elf.hpp>
#include <tools/guest/modules.hpp>
#include <tools/guest/vmlinux.hpp>

namespace capsa::guest {
namespace {

namespace fs = std::filesystem;

// The largest module of a distribution kernel has a few megabytes.
constexpr std::size_t kMaxModule = std::size_t{64} * 1024 * 1024;
constexpr std::size_t kMaxList = std::size_t{4} * 1024 * 1024;

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream{std::string(text)};
  for (std::string part; std::getline(stream, part, separator);)
    if (!part.empty()) parts.push_back(module_name(part));
  return parts;
}

/// "pre: a b post: c": what stands after "pre:".
std::vector<std::string> parse_softdep(std::string_view text) {
  std::vector<std::string> first;
  bool before = false;
  for (auto& word : split(text, ' ')) {
    if (word.ends_with(':'))
      before = word == "pre:";
    else if (before)
      first.push_back(std::move(word));
  }
  return first;
}

/// The file's name without ".ko" and a compression's suffix; empty for other files.
std::string stem_of(const fs::path& file) {
  const std::string name = file.filename();
  for (const std::string_view suffix : {".ko", ".ko.xz", ".ko.gz", ".ko.zst"})
    if (name.ends_with(suffix)) return name.substr(0, name.size() - suffix.size());
  return {};
}

}  // namespace

result<ModuleInfo> parse_module(std::string_view elf) {
  const auto file = Elf::parse(elf);
  if (!file) return file.error();
  const auto section = file->section(".modinfo");
  if (!section) return section.error();
  if (!*section) return error(ErrorCode::InvalidConfig, "the file is no kernel module");
  ModuleInfo info;
  std::istringstream entries{std::string(**section)};
  for (std::string entry; std::getline(entries, entry, '\0');) {
    if (entry.starts_with("depends=")) info.depends = split(entry.substr(8), ',');
    if (!entry.starts_with("softdep=")) continue;
    const auto first = parse_softdep(entry.substr(8));
    info.first.insert(info.first.end(), first.begin(), first.end());
  }
  return info;
}

std::string module_name(std::string_view name) {
  std::string out(name);
  std::replace(out.begin(), out.end(), '-', '_');
  return out;
}

result<ModuleTree> ModuleTree::open(const fs::path& directory) {
  ModuleTree tree;
  tree.directory_ = directory;
  std::error_code failed;
  for (fs::recursive_directory_iterator it(directory / "kernel", failed), end; !failed && it != end;
       it.increment(failed)) {
    if (const auto stem = stem_of(it->path()); !stem.empty())
      tree.files_.emplace(module_name(stem), it->path().lexically_relative(directory));
  }
  if (failed) return error_from_errno(failed.value(), "read " + directory.string());
  const auto list = read_file(directory / "modules.builtin", kMaxList);
  if (!list) return list.error();
  std::istringstream lines(*list);
  for (std::string line; std::getline(lines, line);)
    if (const auto stem = stem_of(line); !stem.empty()) tree.built_in_.insert(module_name(stem));
  return tree;
}

fs::path ModuleTree::path_of(std::string_view name) const {
  const auto it = files_.find(module_name(name));
  if (it == files_.end()) return {};
  fs::path path = it->second;
  return path.extension() == ".ko" ? path : path.replace_extension();
}

result<std::string> ModuleTree::read(std::string_view name) const {
  const auto it = files_.find(module_name(name));
  if (it == files_.end())
    return error(ErrorCode::NotFound, "the kernel has no module " + std::string(name));
  auto bytes = read_file(directory_ / it->second, kMaxModule);
  if (!bytes || is_elf(*bytes)) return bytes;
  return unpack_stream(*bytes, kMaxModule, false);
}

result<std::vector<std::string>> ModuleTree::load_order(
    const std::vector<std::string>& wanted) const {
  std::vector<std::string> order;
  std::set<std::string> done;
  std::set<std::string> open;  // on the way from a wanted module to this one
  const std::function<result<void>(const std::string&, bool)> visit =
      [&](const std::string& name, bool must) -> result<void> {
    if (done.contains(name) || is_built_in(name)) return {};
    if (!has(name) && !must) return {};
    if (!open.insert(name).second) {
      if (!must) return {};
      return error(ErrorCode::InvalidConfig, "kernel module " + name + " needs itself");
    }
    const auto bytes = read(name);
    if (!bytes) return bytes.error();
    const auto info = parse_module(*bytes);
    if (!info) return error(info.error().code(), name + ": " + info.error().message());
    // A soft dependency may be unknown to this kernel; the module loads without it.
    for (const auto& one : info->first)
      if (auto visited = visit(one, false); !visited) return visited;
    for (const auto& one : info->depends)
      if (auto visited = visit(one, true); !visited) return visited;
    open.erase(name);
    done.insert(name);
    order.push_back(name);
    return {};
  };
  for (const auto& name : wanted)
    if (auto visited = visit(module_name(name), true); !visited) return visited.error();
  return order;
}

}  // namespace capsa::guest
