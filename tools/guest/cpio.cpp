#include <array>
#include <cstdio>
#include <tools/guest/cpio.hpp>
#include <utility>

namespace capsa::guest {
namespace {

constexpr unsigned kDirectory = 0040000;
constexpr unsigned kCharacterDevice = 0020000;
constexpr unsigned kRegular = 0100000;
constexpr unsigned kSymlink = 0120000;
constexpr unsigned kPermissions = 07777;

}  // namespace

void CpioWriter::directory(std::string_view path, unsigned permissions) {
  entry(path, kDirectory | (permissions & kPermissions), {}, 2, 0, 0);
}

void CpioWriter::symlink(std::string_view path, std::string_view target) {
  entry(path, kSymlink | 0777, target, 1, 0, 0);
}

void CpioWriter::character_device(std::string_view path, unsigned permissions, unsigned major,
                                  unsigned minor) {
  entry(path, kCharacterDevice | (permissions & kPermissions), {}, 1, major, minor);
}

result<void> CpioWriter::file(std::string_view path, unsigned permissions,
                              std::string_view content) {
  if (content.size() > UINT32_MAX)
    return error(ErrorCode::ResourceExhausted, std::string(path) + " is too large for an initrd");
  entry(path, kRegular | (permissions & kPermissions), content, 1, 0, 0);
  return {};
}

std::string CpioWriter::finish() {
  entry("TRAILER!!!", 0, {}, 1, 0, 0);
  inode_ = 0;
  return std::exchange(bytes_, {});
}

void CpioWriter::entry(std::string_view path, unsigned mode, std::string_view content,
                       unsigned links, unsigned major, unsigned minor) {
  // magic, ino, mode, uid, gid, nlink, mtime, filesize, devmajor, devminor, rdevmajor, rdevminor,
  // namesize with its NUL, check
  std::array<char, 111> header;
  std::snprintf(header.data(), header.size(),
                "070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X", ++inode_, mode, 0U,
                0U, links, 0U, static_cast<unsigned>(content.size()), 0U, 0U, major, minor,
                static_cast<unsigned>(path.size() + 1), 0U);
  bytes_.append(header.data(), header.size() - 1);
  bytes_.append(path).push_back('\0');
  pad();
  bytes_.append(content);
  pad();
}

void CpioWriter::pad() {
  bytes_.resize((bytes_.size() + 3) & ~std::size_t{3});
}

}  // namespace capsa::guest
