#pragma once

#include <capsa/detail/unique_fd.hpp>
#include <capsa/result.hpp>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace capsa::block {

/// The formats that a disk may have besides raw bytes in this process. Always said, never probed:
/// a guest that writes another format's magic to its raw disk must not get it opened as that. VMDK
/// is left out: such an image names further files of the host.
enum class ImageFormat : std::uint8_t { Raw, Qcow2, Vdi, Vhdx, Vpc };

std::string_view to_string(ImageFormat format) noexcept;

/// An image file beneath another one, which it was made from.
struct BackingImage {
  std::filesystem::path path;
  ImageFormat format = ImageFormat::Raw;
  /// Whether the server takes QEMU's locks; else the caller has locked the file.
  bool lock = true;
};

/// One image, served by a process of its own on a private unix socket.
struct ImageServerConfig {
  std::filesystem::path image;
  ImageFormat format = ImageFormat::Qcow2;
  bool read_only = false;
  /// What the image is based on, nearest first; only qcow2 images have any. What the image itself
  /// says about that is ignored by the server, so see check_image() first.
  std::vector<BackingImage> backing;
  /// Whether what is written need not outlive the host: flushes are left out then.
  bool throw_away = false;
  /// Past the host's page cache (O_DIRECT).
  bool direct = false;
  /// Have the server use io_uring; where the host forbids that it does not start.
  bool io_uring = false;
};

/// How to start qemu-storage-daemon(1). The caller spawns it, gives it the listening socket as
/// descriptor `kListenerFd`, and connects an NbdStore to `socket`: at once, as connections wait in
/// the socket's backlog until the server takes them. It serves one connection and ends by SIGTERM.
struct ImageServerCommand {
  std::string program = "qemu-storage-daemon";
  std::vector<std::string> arguments;  ///< without the program's name
  std::filesystem::path socket;
  std::string export_name;
};

/// The number that the server's listening socket has in its process.
inline constexpr int kListenerFd = 3;

/// The number that an image without a name has there, and its path in a configuration.
inline constexpr int kImageFd = 4;
std::filesystem::path image_of_descriptor();

/// A pure function. `directory` is private to this user, `name` names the disk in it. InvalidConfig
/// where the socket's path is too long for a unix socket, or the configuration makes no sense.
result<ImageServerCommand> image_server_command(const ImageServerConfig& config,
                                                const std::filesystem::path& directory,
                                                const std::string& name);

/// A listening unix socket at `path`, which must not exist, for this user only. Close-on-exec. The
/// caller closes its copy once the server has its own, so that connections end with the server.
result<UniqueFd> listen_for_image_server(const std::filesystem::path& path);

/// Looks at the header of a qcow2 image for files that it names. Refuses one that has its data in
/// another file, and one with a backing file unless `backing_given`; else nothing. Another format
/// passes. An image is the work of strangers: the names in it could be any file of the host.
/// InvalidConfig, NotFound, PermissionDenied.
result<void> check_image(const std::filesystem::path& image, ImageFormat format,
                         bool backing_given);

}  // namespace capsa::block
