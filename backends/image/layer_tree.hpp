#pragma once

#include <backends/image/erofs_writer.hpp>
#include <backends/image/tar_reader.hpp>
#include <map>
#include <unordered_map>

namespace capsa::image {

/// Makes one layer's file system of its archive: judges every name, keeps the names, and has the
/// content written as it comes. What the layer takes away from those beneath becomes what overlayfs
/// understands: ".wh.NAME" a character device 0:0, ".wh..wh..opq" an attribute of its directory.
///
/// InvalidConfig for a name that is absolute, holds "..", or leads through something that is no
/// directory; for a hard link to what this layer has not got; for devices; and for more than the
/// limits allow. The message names the entry. Parents that the archive leaves out are made, 0755.
class LayerTree final : public TarSink {
 public:
  LayerTree(ErofsWriter& writer, const LayerLimits& limits);

  result<void> begin(TarEntry entry) override;
  result<void> data(std::span<const std::byte> bytes) override;
  result<void> end() override;
  /// Writes the directories and the superblock; gives the bytes of the image.
  result<std::uint64_t> finish(std::span<const std::byte, 16> id);

 private:
  enum class Kind : std::uint8_t { File, Symlink, Fifo, Whiteout, Directory };
  struct Child {
    Kind kind = Kind::File;
    Nid nid = 0;                  ///< of all but directories
    std::uint32_t directory = 0;  ///< Directory: its index
  };
  struct Directory {
    FileAttributes attributes;
    std::uint32_t parent = 0;
    bool opaque = false;
    std::map<std::string, Child, std::less<>> children;
  };
  using Path = std::vector<std::string_view>;

  result<Path> split(std::string_view path) const;
  result<std::uint32_t> parent_of(const Path& path);
  result<std::uint32_t> make_directory(std::uint32_t parent, std::string_view name);
  result<void> add(TarEntry& entry, const Path& path);
  result<void> add_directory(std::uint32_t parent, std::string_view name,
                             FileAttributes attributes);
  result<void> add_link(std::uint32_t parent, std::string_view name, const TarEntry& entry);
  result<void> take_away(std::uint32_t parent, std::string_view name);
  result<void> insert(std::uint32_t parent, std::string_view name, Child child);
  result<void> may_insert(std::uint32_t parent, std::string_view name) const;
  result<void> write_one(std::uint32_t index, const std::vector<ErofsWriter::Place>& places);

  ErofsWriter& writer_;
  LayerLimits limits_;
  std::vector<Directory> directories_;            // a parent before its children; the root first
  std::unordered_map<Nid, std::uint32_t> links_;  // where it is not 1
  std::uint64_t names_ = 0;
  std::uint64_t name_bytes_ = 0;
  // The entry that is being read.
  bool in_file_ = false;
  std::uint32_t file_parent_ = 0;
  std::string file_name_;
  std::string shown_;
};

}  // namespace capsa::image
