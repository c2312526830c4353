#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <backends/block/image_server.hpp>
#include <cerrno>
#include <cstddef>
#include <span>

// The beginning of a qcow2 file, big-endian (QEMU's docs/interop/qcow2.txt):
//
//   0  magic "QFI\xfb"   4  version   8  offset of the backing file's name, 0 where there is none
//   72 incompatible features (version 3 and later); bit 2: the data are in another file
namespace capsa::block {
namespace {

constexpr std::size_t kHeaderBytes = 80;
constexpr std::uint32_t kMagic = 0x514649fb;
constexpr std::uint64_t kExternalData = 1U << 2;

std::uint64_t big_endian(std::span<const std::byte> bytes) {
  std::uint64_t value = 0;
  for (const std::byte one : bytes)
    value = value << 8 | std::to_integer<std::uint64_t>(one);
  return value;
}

}  // namespace

result<void> check_image(const std::filesystem::path& image, ImageFormat format,
                         bool backing_given) {
  if (format != ImageFormat::Qcow2) return {};
  const std::string name = "disk " + image.string();
  const UniqueFd fd(::open(image.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  if (!fd) return error_from_errno(errno, "open " + name);
  std::array<std::byte, kHeaderBytes> header{};
  const ssize_t got = ::pread(fd.get(), header.data(), header.size(), 0);
  if (got < 0) return error_from_errno(errno, "read " + name);
  const std::span<const std::byte> bytes(header);
  if (got < 72 || big_endian(bytes.first(4)) != kMagic) {
    return error(ErrorCode::InvalidConfig, name + ": it is not a qcow2 image");
  }
  const std::uint64_t version = big_endian(bytes.subspan(4, 4));
  if (version >= 3 && (big_endian(bytes.subspan(72, 8)) & kExternalData) != 0) {
    return error(ErrorCode::InvalidConfig, name + ": its data are in another file",
                 "convert it with qemu-img convert -O qcow2");
  }
  if (big_endian(bytes.subspan(8, 8)) != 0 && !backing_given) {
    return error(ErrorCode::InvalidConfig, name + ": it needs a backing image",
                 "merge the two: qemu-img convert -O qcow2 IMAGE NEW-IMAGE");
  }
  return {};
}

}  // namespace capsa::block
