#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <algorithm>
#include <backends/block/image_server.hpp>
#include <cerrno>
#include <cstring>
#include <string_view>

namespace capsa::block {
namespace {

constexpr std::string_view kExportName = "disk";

error invalid(std::string what) {
  return {ErrorCode::InvalidConfig, std::move(what)};
}

/// A value in a list of QEMU's options: a comma would end it, two are one.
std::string escaped(const std::string& value) {
  std::string out;
  for (const char one : value) {
    out += one;
    if (one == ',') out += ',';
  }
  return out;
}

std::string on_off(bool on) {
  return on ? "on" : "off";
}

/// Adds the nodes of one image: the file, and its format on top of that.
void add_nodes(const ImageServerConfig& config, const BackingImage& image, const std::string& node,
               const std::string& backing, bool read_only, std::vector<std::string>& out) {
  const ImageFormat format = image.format;
  const std::string file =
      "driver=file,node-name=" + node + "-file,filename=" + escaped(image.path.string()) +
      ",read-only=" + on_off(read_only) +
      ",auto-read-only=off,discard=unmap,cache.direct=" + on_off(config.direct) +
      ",cache.no-flush=" + on_off(config.throw_away) + ",locking=" + on_off(image.lock) +
      ",aio=" + (config.io_uring ? "io_uring" : "threads");
  out.insert(out.end(), {"--blockdev", file});
  // As JSON, which alone can say that there is no backing image; and that is always said, for else
  // the server opens what the image names. Nothing in it needs escaping.
  const auto truth = [](bool on) { return std::string(on ? "true" : "false"); };
  std::string top = R"({"driver":")" + std::string(to_string(format)) + R"(","node-name":")" +
                    node + R"(","file":")" + node + R"(-file","read-only":)" + truth(read_only) +
                    R"(,"discard":"unmap","detect-zeroes":"off","cache":{"direct":)" +
                    truth(config.direct) + R"(,"no-flush":)" + truth(config.throw_away) + '}';
  if (format == ImageFormat::Qcow2) {
    top += R"(,"backing":)" + (backing.empty() ? "null" : '"' + backing + '"');
  }
  top += '}';
  out.insert(out.end(), {"--blockdev", std::move(top)});
}

}  // namespace

std::string_view to_string(ImageFormat format) noexcept {
  switch (format) {
    case ImageFormat::Raw:
      return "raw";
    case ImageFormat::Qcow2:
      return "qcow2";
    case ImageFormat::Vdi:
      return "vdi";
    case ImageFormat::Vhdx:
      return "vhdx";
    case ImageFormat::Vpc:
      return "vpc";
  }
  return "raw";
}

std::filesystem::path image_of_descriptor() {
  return "/proc/self/fd/" + std::to_string(kImageFd);
}

result<ImageServerCommand> image_server_command(const ImageServerConfig& config,
                                                const std::filesystem::path& directory,
                                                const std::string& name) {
  if (!config.image.is_absolute()) {
    return invalid("disk " + config.image.string() + ": the image's path is not absolute");
  }
  if (name.empty() || name.find('/') != std::string::npos) {
    return invalid("disk \"" + name + "\": not a name for a socket");
  }
  ImageServerCommand command;
  command.socket = directory / (name + ".nbd");
  command.export_name = kExportName;
  if (command.socket.string().size() >= sizeof(sockaddr_un::sun_path)) {
    return invalid("disk " + name + ": the socket's path " + command.socket.string() +
                   " is longer than 107 bytes");
  }
  // The lowest first: each names the one beneath it.
  std::string beneath;
  for (std::size_t i = config.backing.size(); i != 0; --i) {
    const BackingImage& one = config.backing[i - 1];
    if (!one.path.is_absolute()) {
      return invalid("disk " + one.path.string() + ": the backing image's path is not absolute");
    }
    const ImageFormat above = i == 1 ? config.format : config.backing[i - 2].format;
    if (above != ImageFormat::Qcow2) {
      return invalid("disk " + name + ": only a qcow2 image can have a backing image");
    }
    const std::string node = "backing" + std::to_string(i);
    add_nodes(config, one, node, beneath, true, command.arguments);
    beneath = node;
  }
  add_nodes(config, {config.image, config.format}, "image", beneath, config.read_only,
            command.arguments);
  command.arguments.insert(
      command.arguments.end(),
      {"--nbd-server",
       "addr.type=fd,addr.str=" + std::to_string(kListenerFd) + ",max-connections=1", "--export",
       "type=nbd,id=export,node-name=image,name=" + std::string(kExportName) +
           ",writable=" + on_off(!config.read_only)});
  return command;
}

result<UniqueFd> listen_for_image_server(const std::filesystem::path& path) {
  const std::string text = path.string();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (text.empty() || text.size() >= sizeof(address.sun_path)) {
    return invalid("socket " + text + ": its path is empty or longer than 107 bytes");
  }
  std::memcpy(address.sun_path, text.data(), text.size());
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!fd) return error_from_errno(errno, "make a socket");
  // Linux gives the node the mode of the socket (unix(7)), so it is never open to others.
  if (::fchmod(fd.get(), 0600) != 0 ||
      ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(fd.get(), 1) != 0) {
    return error_from_errno(errno, "listen at " + text);
  }
  return fd;
}

}  // namespace capsa::block
