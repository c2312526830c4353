#include <tests/conformance/image_parts.hpp>

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <capsa/detail/unique_fd.hpp>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <tests/conformance/guest_fixture.hpp>

extern char** environ;

namespace capsa::test {

namespace {

/// The content of a file in an uncompressed newc archive.
std::string file_of_cpio(const std::string& archive, const std::string& wanted) {
  std::size_t at = 0;
  const auto field = [&](int index) {
    return std::stoul(archive.substr(at + 6 + static_cast<std::size_t>(index) * 8, 8), nullptr, 16);
  };
  while (at + 110 <= archive.size() && archive.compare(at, 5, "07070") == 0) {
    const auto size = field(6);
    const auto name_size = field(11);
    const auto name = archive.substr(at + 110, name_size - 1);
    const auto content = at + (110 + name_size + 3) / 4 * 4;
    if (name == wanted) return archive.substr(content, size);
    at = content + (size + 3) / 4 * 4;
  }
  throw std::runtime_error("the guest's initrd has no " + wanted);
}

/// One that nobody has now.
std::uint16_t free_port() {
  const UniqueFd socket(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), length) != 0 ||
      ::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &length) != 0)
    throw std::runtime_error("no port of the loopback is free");
  return ntohs(address.sin_port);
}

pid_t spawn(std::vector<std::string> words, int error_fd) {
  std::vector<char*> arguments;
  for (auto& word : words)
    arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, error_fd, 1);
  ::posix_spawn_file_actions_adddup2(&actions, error_fd, 2);
  pid_t pid = -1;
  const int failed =
      ::posix_spawnp(&pid, arguments[0], &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  return failed == 0 ? pid : -1;
}

}  // namespace

const std::string& busybox() {
  static const std::string program = [] {
    std::ifstream stream(guest().initrd, std::ios::binary);
    const std::string archive{std::istreambuf_iterator<char>(stream), {}};
    return file_of_cpio(archive, "bin/busybox");
  }();
  return program;
}

std::string base_layer() {
  tests::TarBuilder tar;
  tar.directory("./").directory("./bin").file("./bin/busybox", busybox(), 0755);
  tar.symlink("./bin/sh", "busybox").directory("./etc");
  tar.file("./etc/passwd", "root:x:0:0::/root:/bin/sh\napp:x:1000:100::/home/app:/bin/sh\n");
  tar.file("./etc/group", "root:x:0:\nusers:x:100:\n").directory("./tmp", 01777);
  return tar.finish();
}

std::unique_ptr<LoopbackRegistry> LoopbackRegistry::start(const std::filesystem::path& directory) {
  const auto port = free_port();
  const auto config = directory / "registry.yml";
  std::ofstream(config) << "version: 0.1\nlog: {level: info}\nstorage:\n  filesystem:\n"
                        << "    rootdirectory: " << (directory / "registry").string() << "\n"
                        << "http:\n  addr: 127.0.0.1:" << port << "\n";
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return nullptr;
  UniqueFd output(ends[0]);
  UniqueFd theirs(ends[1]);
  const pid_t pid = spawn({"docker-registry", "serve", config.string()}, theirs.get());
  theirs.reset();
  if (pid < 0) return nullptr;
  std::unique_ptr<LoopbackRegistry> registry(new LoopbackRegistry(pid, port));
  // It says when it listens; what it says later is little, and fits into the pipe.
  std::string said;
  std::array<char, 4096> buffer;
  while (said.find("listening on") == std::string::npos) {
    const auto n = ::read(output.get(), buffer.data(), buffer.size());
    if (n <= 0) return nullptr;
    said.append(buffer.data(), static_cast<std::size_t>(n));
  }
  // Somebody must read on, or it would stop at a full pipe.
  registry->reader_ = std::thread([output = std::move(output)] {
    std::array<char, 4096> dropped;
    while (::read(output.get(), dropped.data(), dropped.size()) > 0) {
    }
  });
  return registry;
}

void LoopbackRegistry::stop() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
  if (reader_.joinable()) reader_.join();
}

bool LoopbackRegistry::push(const tests::OciLayoutBuilder& layout, const std::string& name) const {
  const pid_t pid = spawn({"skopeo", "copy", "-q", "--dest-tls-verify=false", layout.reference(),
                           "docker://" + name_of(name)},
                          STDERR_FILENO);
  int status = -1;
  return pid > 0 && ::waitpid(pid, &status, 0) == pid && WIFEXITED(status) &&
         WEXITSTATUS(status) == 0;
}

}  // namespace capsa::test
