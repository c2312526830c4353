#include <algorithm>
#include <backends/image/layer_tree.hpp>
#include <backends/image/printable.hpp>

namespace capsa::image {
namespace {

constexpr std::string_view kWhiteout = ".wh.";
constexpr std::string_view kOpaque = ".wh..wh..opq";
constexpr std::string_view kMetadata = ".wh..wh.";

std::string shown(std::string_view name) {
  return "\"" + printable(name) + "\"";
}

error refused(const std::string& entry, std::string why) {
  return {ErrorCode::InvalidConfig, "the entry " + entry + " " + std::move(why)};
}

/// Those that mean something in a guest. Others are labels of the system where the layer was made.
bool is_kept(std::string_view name) {
  return name.starts_with("user.") || name == "security.capability" ||
         name == "system.posix_acl_access" || name == "system.posix_acl_default";
}

result<FileAttributes> attributes_of(TarEntry& entry) {
  FileAttributes attributes;
  attributes.mode = entry.mode;
  attributes.uid = entry.uid;
  attributes.gid = entry.gid;
  attributes.mtime = entry.mtime;
  attributes.mtime_nsec = entry.mtime_nsec;
  for (auto& [name, value] : entry.xattrs) {
    // With these a layer could rename and hide what others brought, as no archive can.
    if (name.starts_with("trusted.overlay.") || name.starts_with("user.overlay."))
      return refused(shown(entry.path), "has the attribute " + name + ", which is overlayfs's own");
    if (is_kept(name) && xattr_name(name)) attributes.xattrs.emplace_back(name, std::move(value));
  }
  return attributes;
}

}  // namespace

LayerTree::LayerTree(ErofsWriter& writer, const LayerLimits& limits)
    : writer_(writer), limits_(limits), directories_(1) {
  directories_[0].attributes.mode = 0755;
}

result<void> LayerTree::begin(TarEntry entry) {
  in_file_ = false;
  shown_ = shown(entry.path);
  auto path = split(entry.path);
  if (!path) return path.error();
  return add(entry, *path);
}

result<void> LayerTree::add(TarEntry& entry, const Path& path) {
  // What aufs kept in its branches, and old Docker versions put into layers.
  if (!path.empty() && path.front().starts_with(kMetadata) && path.front() != kOpaque) return {};
  if (entry.kind == TarEntry::Kind::CharacterDevice || entry.kind == TarEntry::Kind::BlockDevice)
    return refused(shown_, "is a device");
  auto attributes = attributes_of(entry);
  if (!attributes) return attributes.error();
  if (path.empty()) {
    if (entry.kind != TarEntry::Kind::Directory)
      return refused(shown_, "is the root, and not a directory");
    directories_[0].attributes = *std::move(attributes);
    return {};
  }
  const auto parent = parent_of(path);
  if (!parent) return parent.error();
  const auto name = path.back();
  if (name.starts_with(kWhiteout)) return take_away(*parent, name);
  if (entry.kind == TarEntry::Kind::Directory)
    return add_directory(*parent, name, *std::move(attributes));
  if (auto may = may_insert(*parent, name); !may) return may;

  const auto place = [&](Kind kind, result<Nid> nid) -> result<void> {
    if (!nid) return nid.error();
    return insert(*parent, name, {kind, *nid, 0});
  };
  switch (entry.kind) {
    case TarEntry::Kind::HardLink:
      return add_link(*parent, name, entry);
    case TarEntry::Kind::Symlink:
      if (entry.link.empty() || entry.link.size() >= limits_.path)
        return refused(shown_, "is a symbolic link to nothing, or to a name that is too long");
      return place(Kind::Symlink, writer_.add_symlink(*attributes, entry.link));
    case TarEntry::Kind::Fifo:
      return place(Kind::Fifo, writer_.add_fifo(*attributes));
    default:
      break;
  }
  in_file_ = true;
  file_parent_ = *parent;
  file_name_ = name;
  return writer_.begin_file(*std::move(attributes), entry.size);
}

result<void> LayerTree::data(std::span<const std::byte> bytes) {
  return in_file_ ? writer_.write(bytes) : result<void>();
}

result<void> LayerTree::end() {
  if (!in_file_) return {};
  in_file_ = false;
  const auto nid = writer_.end_file();
  if (!nid) return nid.error();
  return insert(file_parent_, file_name_, {Kind::File, *nid, 0});
}

result<LayerTree::Path> LayerTree::split(std::string_view path) const {
  if (path.size() > limits_.path) return refused(shown_, "has a name that is too long");
  if (path.empty()) return refused(shown_, "has no name");
  if (path.front() == '/') return refused(shown(path), "has an absolute name");
  Path parts;
  while (!path.empty()) {
    const auto slash = path.find('/');
    const auto part = path.substr(0, slash);
    path.remove_prefix(slash == std::string_view::npos ? path.size() : slash + 1);
    if (part.empty() || part == ".") continue;
    if (part == "..") return refused(shown_, "leads out of the layer by \"..\"");
    if (part.size() > limits_.name) return refused(shown_, "has a name that is too long");
    parts.push_back(part);
  }
  return parts;
}

/// The directory that holds the last name of a path. Makes what is missing on the way.
result<std::uint32_t> LayerTree::parent_of(const Path& path) {
  std::uint32_t at = 0;
  for (std::size_t i = 0; i + 1 < path.size(); ++i) {
    const auto& children = directories_[at].children;
    const auto found = children.find(path[i]);
    if (path[i].starts_with(kWhiteout))
      return refused(shown_, "lies within " + shown(path[i]) + ", which cannot be a directory");
    if (found != children.end() && found->second.kind == Kind::Directory) {
      at = found->second.directory;
      continue;
    }
    if (found != children.end() && found->second.kind != Kind::Whiteout)
      return refused(shown_, "leads through " + shown(path[i]) + ", which is " +
                                 (found->second.kind == Kind::Symlink ? "a symbolic link"
                                                                      : "not a directory"));
    auto made = make_directory(at, path[i]);
    if (!made) return made.error();
    at = *made;
  }
  return at;
}

/// A new directory in the place of nothing, of a whiteout, or of what is no directory.
result<std::uint32_t> LayerTree::make_directory(std::uint32_t parent, std::string_view name) {
  const auto index = static_cast<std::uint32_t>(directories_.size());
  const auto& children = directories_[parent].children;
  const auto before = children.find(name);
  // A directory that is taken away and made again has nothing of those beneath.
  const bool opaque = before != children.end() && before->second.kind == Kind::Whiteout;
  if (auto done = insert(parent, name, {Kind::Directory, 0, index}); !done) return done.error();
  Directory& made = directories_.emplace_back();
  made.attributes.mode = 0755;
  made.parent = parent;
  made.opaque = opaque;
  return index;
}

result<void> LayerTree::add_directory(std::uint32_t parent, std::string_view name,
                                      FileAttributes attributes) {
  const auto& children = directories_[parent].children;
  const auto found = children.find(name);
  std::uint32_t index = 0;
  if (found != children.end() && found->second.kind == Kind::Directory) {
    index = found->second.directory;
  } else {
    auto made = make_directory(parent, name);
    if (!made) return made.error();
    index = *made;
  }
  directories_[index].attributes = std::move(attributes);
  return {};
}

result<void> LayerTree::add_link(std::uint32_t parent, std::string_view name,
                                 const TarEntry& entry) {
  // Its target is looked up among the names of this layer, and nowhere else.
  auto target = split(entry.link);
  if (!target || target->empty())
    return refused(shown_,
                   "is a hard link to " + shown(entry.link) + ", which is out of the layer");
  std::uint32_t at = 0;
  for (std::size_t i = 0; i < target->size(); ++i) {
    const auto& children = directories_[at].children;
    const auto found = children.find((*target)[i]);
    const bool last = i + 1 == target->size();
    const bool wrong = found == children.end() || found->second.kind == Kind::Whiteout ||
                       (found->second.kind == Kind::Directory) == last;
    if (wrong)
      return refused(
          shown_, "is a hard link to " + shown(entry.link) + ", which is not a file of this layer");
    if (last) {
      const Child child = found->second;
      if (parent == at && found->first == name) return {};
      ++links_.try_emplace(child.nid, 1).first->second;
      return insert(parent, name, child);
    }
    at = found->second.directory;
  }
  return {};
}

result<void> LayerTree::take_away(std::uint32_t parent, std::string_view name) {
  if (name == kOpaque) {
    directories_[parent].opaque = true;
    return {};
  }
  if (name.starts_with(kMetadata)) return {};
  name.remove_prefix(kWhiteout.size());
  if (name.empty() || name == "." || name == "..")
    return refused(shown_, "takes away what has no name");
  const auto& children = directories_[parent].children;
  if (const auto found = children.find(name); found != children.end()) {
    // In one layer with what it would hide: it means the layers beneath.
    if (found->second.kind == Kind::Directory) directories_[found->second.directory].opaque = true;
    return {};
  }
  const auto nid = writer_.add_whiteout();
  if (!nid) return nid.error();
  return insert(parent, name, {Kind::Whiteout, *nid, 0});
}

result<void> LayerTree::may_insert(std::uint32_t parent, std::string_view name) const {
  const auto& children = directories_[parent].children;
  const auto found = children.find(name);
  if (found != children.end() && found->second.kind == Kind::Directory)
    return refused(shown_, "takes the place of a directory of the same layer");
  return {};
}

result<void> LayerTree::insert(std::uint32_t parent, std::string_view name, Child child) {
  if (auto may = may_insert(parent, name); !may) return may;
  auto& children = directories_[parent].children;
  if (const auto found = children.find(name); found != children.end()) {
    // The last of one name counts, as everywhere. The inode stays behind, without a name.
    if (found->second.kind != Kind::Directory)
      --links_.try_emplace(found->second.nid, 1).first->second;
    found->second = child;
    return {};
  }
  name_bytes_ += name.size();
  if (++names_ > limits_.entries || name_bytes_ > limits_.name_bytes)
    return refused(shown_, "is more than a layer may have: " + std::to_string(limits_.entries) +
                               " names of " + std::to_string(limits_.name_bytes) + " bytes in all");
  children.emplace(name, child);
  return {};
}

result<std::uint64_t> LayerTree::finish(std::span<const std::byte, 16> id) {
  std::vector<ErofsWriter::Place> places;
  for (Directory& one : directories_) {
    if (one.opaque) one.attributes.xattrs.emplace_back("trusted.overlay.opaque", "y");
    std::vector<std::string_view> names;
    for (const auto& [name, child] : one.children)
      names.emplace_back(name);
    names.insert(std::lower_bound(names.begin(), names.end(), "."), ".");
    names.insert(std::lower_bound(names.begin(), names.end(), ".."), "..");
    auto place = writer_.reserve_directory(one.attributes, directory_bytes(names));
    if (!place) return place.error();
    places.push_back(*place);
  }
  for (std::uint32_t i = 0; i < directories_.size(); ++i) {
    if (auto done = write_one(i, places); !done) return done.error();
  }
  for (const auto& [nid, links] : links_) {
    if (auto done = writer_.set_links(nid, links); !done) return done.error();
  }
  return writer_.finish(id);
}

result<void> LayerTree::write_one(std::uint32_t index,
                                  const std::vector<ErofsWriter::Place>& places) {
  const Directory& one = directories_[index];
  std::vector<DirectoryEntry> entries;
  std::uint32_t links = 2;
  for (const auto& [name, child] : one.children) {
    DirectoryEntry entry{name, child.nid, erofs::FileType::Regular};
    switch (child.kind) {
      case Kind::File:
        break;
      case Kind::Symlink:
        entry.type = erofs::FileType::Symlink;
        break;
      case Kind::Fifo:
        entry.type = erofs::FileType::Fifo;
        break;
      case Kind::Whiteout:
        entry.type = erofs::FileType::CharacterDevice;
        break;
      case Kind::Directory:
        entry.type = erofs::FileType::Directory;
        entry.nid = places[child.directory].nid;
        ++links;
        break;
    }
    entries.push_back(entry);
  }
  const auto add = [&](std::string_view name, std::uint32_t directory) {
    const auto at = std::lower_bound(entries.begin(), entries.end(), name,
                                     [](const auto& e, std::string_view n) { return e.name < n; });
    entries.insert(at, {name, places[directory].nid, erofs::FileType::Directory});
  };
  add(".", index);
  add("..", one.parent);
  return writer_.write_directory(places[index], one.attributes, links, entries);
}

}  // namespace capsa::image
