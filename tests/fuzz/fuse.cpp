// Requests of a hostile guest against a share. The share lies in a small tmpfs of its own, in a
// mount namespace of this process, so that nothing that is asked for can fill or harm the machine;
// beside it lies a file that must never change.
//
// An input is a row of records: opcode, node, room/64, flags (1 byte each), length of the rest
// (2 bytes, little-endian), the rest. Flag 1: the rest is a whole request with its header. Flag 2:
// the server is reset first.

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <backends/virtio/fs/fuse_server.hpp>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>

namespace {

using namespace capsa::virtio::fs;

std::filesystem::path g_root;

void require(bool good, const char* what) {
  if (good) return;
  std::perror(what);
  std::abort();
}

void remove_root() {
  ::umount2(g_root.c_str(), MNT_DETACH);
  ::rmdir(g_root.c_str());
}

std::filesystem::path share() {
  return g_root / "share";
}

void make_share() {
  std::error_code ignored;
  std::filesystem::remove_all(share(), ignored);
  std::filesystem::create_directories(share() / "d" / "e");
  std::ofstream(share() / "a") << "hello";
  std::ofstream(share() / "d" / "b") << "world";
  std::filesystem::create_symlink("../secret", share() / "l");
  std::filesystem::create_symlink("..", share() / "u");
  ::mkfifo((share() / "f").c_str(), 0666);
}

void check_outside() {
  std::size_t entries = 0;
  for (const auto& entry : std::filesystem::directory_iterator(g_root)) {
    static_cast<void>(entry);
    ++entries;
  }
  std::ifstream in(g_root / "secret");
  const std::string content{std::istreambuf_iterator<char>(in), {}};
  struct stat stat {};
  ::stat((g_root / "secret").c_str(), &stat);
  if (entries != 2 || content != "secret" || stat.st_nlink != 1 || stat.st_mode != 0100600) {
    std::fprintf(stderr, "something outside of the share was touched\n");
    std::abort();
  }
}

void send(FuseServer& server, const std::vector<std::byte>& request, std::size_t room) {
  std::uint32_t opcode = 0;
  if (request.size() >= 8) std::memcpy(&opcode, request.data() + 4, 4);
  const std::size_t copied = copied_bytes(opcode, request.size());
  const std::vector<std::byte> front(request.begin(),
                                     request.begin() + static_cast<std::ptrdiff_t>(copied));
  std::vector<std::byte> payload(request.begin() + static_cast<std::ptrdiff_t>(copied),
                                 request.end());
  std::vector<std::byte> out(room);
  const iovec data_in{payload.data(), payload.size()};
  const iovec data_out{out.data(), out.size()};
  const FuseReply reply =
      server.handle({front, std::span(&data_in, 1), std::span(&data_out, 1), true});
  if (!reply.header) return;
  const std::size_t length = reply.header->len;
  if (length < sizeof(fuse_out_header) || length - sizeof(fuse_out_header) > room ||
      reply.body.size() > room || reply.header->error > 0 || reply.header->error < -4095) {
    std::abort();
  }
}

std::unique_ptr<FuseServer> make_server(bool read_only) {
  ShareConfig config;
  config.host_path = share();
  config.tag = "fuzz";
  config.read_only = read_only;
  config.max_open_fds = 24;
  return FuseServer::create(config).value();
}

std::vector<std::byte> with_header(std::uint32_t opcode, std::uint64_t node,
                                   const std::uint8_t* rest, std::size_t size) {
  fuse_in_header header{};
  header.len = static_cast<std::uint32_t>(sizeof(header) + size);
  header.opcode = opcode;
  header.nodeid = node;
  std::vector<std::byte> request(sizeof(header) + size);
  std::memcpy(request.data(), &header, sizeof(header));
  if (size != 0) std::memcpy(request.data() + sizeof(header), rest, size);
  return request;
}

void init(FuseServer& server) {
  fuse_init_in in{};
  in.major = 7;
  in.minor = 38;
  send(server, with_header(FUSE_INIT, 0, reinterpret_cast<const std::uint8_t*>(&in), sizeof(in)),
       4096);
}

}  // namespace

extern "C" int LLVMFuzzerInitialize(int* /*argc*/, char*** /*argv*/) {
  std::string pattern = (std::filesystem::temp_directory_path() / "capsa-fuzz-XXXXXX").string();
  require(::mkdtemp(pattern.data()) != nullptr, "mkdtemp");
  g_root = pattern;
  const int user = ::geteuid() == 0 ? 0 : CLONE_NEWUSER;
  require(::unshare(CLONE_NEWNS | user) == 0, "unshare");
  require(::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0, "mount private");
  require(::mount("fuzz", g_root.c_str(), "tmpfs", 0, "size=16m,nr_inodes=4096") == 0,
          "mount tmpfs");
  std::atexit(remove_root);
  std::ofstream(g_root / "secret") << "secret";
  ::chmod((g_root / "secret").c_str(), 0600);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  constexpr std::size_t kRecordHeader = 6;
  make_share();
  const bool read_only = size != 0 && (data[0] & 0x80U) != 0;
  const auto server = make_server(read_only);
  init(*server);
  while (size >= kRecordHeader) {
    const std::uint32_t opcode = data[0] & 0x7FU;
    const std::uint64_t node = data[1];
    const std::size_t room = std::size_t{data[2]} * 64;
    const unsigned flags = data[3];
    const std::size_t announced = data[4] | std::size_t{data[5]} << 8U;
    data += kRecordHeader;
    size -= kRecordHeader;
    const std::size_t length = std::min(announced, size);
    if ((flags & 2U) != 0) {
      server->reset();
      init(*server);
    }
    if ((flags & 1U) != 0) {
      const auto* bytes = reinterpret_cast<const std::byte*>(data);
      send(*server, {bytes, bytes + length}, room);
    } else {
      send(*server, with_header(opcode, node, data, length), room);
    }
    data += length;
    size -= length;
    if (server->open_fds() > server->max_open_fds()) std::abort();
  }
  check_outside();
  return 0;
}
