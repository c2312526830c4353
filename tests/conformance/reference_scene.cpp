#include <sys/socket.h>
#include <sys/un.h>
#include <cstring>
#include <fstream>
#include <sstream>
#include <tests/conformance/disk_images.hpp>
#include <tests/conformance/reference_scene.hpp>

namespace capsa::test {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t kDisk = 1U << 20;

std::filesystem::path qcow2_of(const tests::ScratchDir& dir, const std::string& name,
                               const std::string& bytes) {
  const auto raw = dir.file("raw-of-" + name, bytes);
  auto out = dir.path() / name;
  const auto made =
      run_on_host("qemu-img convert -f raw -O qcow2 " + raw.string() + " " + out.string());
  if (made.status != 0) throw std::runtime_error(made.output);
  return out;
}

}  // namespace

std::string said(const AgentClient& agent, const std::string& line) {
  const auto out = agent.exec(line).get();
  if (out.status.success()) return out.stdout_data;
  return "status " + std::to_string(out.status.shell_status()) + ": " + out.stdout_data +
         out.stderr_data;
}

VmHandle BuilderScene::build() {
  std::filesystem::create_directory(dir.path() / "ro");
  std::filesystem::create_directory(dir.path() / "rw");
  dir.file("ro/given", "by the host");
  return guest_vm(runtime())
      .name("scene")
      .cpus(2)
      .memory_mb(384)
      .console_enabled()
      .agent_enabled()
      .timeout(60s)
      .share(dir.path() / "ro", "ro", MountMode::ReadOnly)
      .share(dir.path() / "rw", "rw", MountMode::ReadWrite)
      .disk(DiskImage(dir.file("first.img", raw_bytes)))
      .disk(DiskImage(qcow2_of(dir, "second.qcow2", qcow2_bytes)))
      .disk(DiskImage(dir.file("third.raw", locked_bytes)).read_only())
      .vsock_listen(kListenPort)
      .vsock_listen_at(kListenAtPort, dir.path() / "listen.sock")
      .vsock_connect(kConnectPort)
      .vsock_connect_at(kConnectAtPort, dir.path() / "connect.sock")
      .cmdline_arg("capsa.shell", "1")
      .cmdline_arg("reference", "first")
      .cmdline_arg("reference", "a row")
      .cmdline_flag("reference_flag")
      .build()
      .get();
}

BuilderScene::BuilderScene()
    : raw_bytes(random_bytes(kDisk, 11)),
      qcow2_bytes(random_bytes(kDisk, 12)),
      locked_bytes(random_bytes(kDisk, 13)),
      vm(build()),
      agent((vm.start().get(), vm.agent().get())),
      console(vm.console().get()) {
  said(agent, "mkdir -p /ro /rw && mount -t virtiofs ro /ro && mount -t virtiofs rw /rw");
  start_vsock_peer(agent);
}

BuilderScene& builder_scene() {
  static BuilderScene scene;
  return scene;
}

VmHandle DiskScene::build() {
  auto config = LinuxDirectBootConfig(guest().kernel, guest().initrd)
                    .with_root_disk(DiskImage(dir.file("root.img", root_bytes)));
  return guest_vm(runtime(), config.root_disk)
      .agent_enabled()
      .disk(DiskImage::with_format(qcow2_of(dir, "odd.img", odd_bytes), ImageFormat::Qcow2))
      .build()
      .get();
}

DiskScene::DiskScene()
    : root_bytes(random_bytes(kDisk, 14)),
      odd_bytes(random_bytes(kDisk, 15)),
      vm(build()),
      agent((vm.start().get(), vm.agent().get())) {}

DiskScene& disk_scene() {
  static DiskScene scene;
  return scene;
}

PlainScene::PlainScene()
    : vm(guest_vm(runtime()).console_enabled().cmdline_arg("capsa.shell", "1").build().get()),
      console(vm.console().get()) {
  vm.start().get();
  console.wait_for_timeout("# ", 60s).get();
}

void start_vsock_peer(const AgentClient& agent) {
  std::ostringstream program;
  program << std::ifstream(VSOCK_PEER, std::ios::binary).rdbuf();
  agent.write_file("/tmp/peer", program.str(), 0755).get();
  for (const auto port : {kConnectPort, kConnectAtPort}) {
    promise<void> listening;
    OutputHandlers handlers;
    handlers.on_stdout = [listening](std::string_view) { listening.set({}); };
    (void)agent.start(ExecSpec::command({"/tmp/peer", "listen", std::to_string(port)}), handlers)
        .get();
    listening.get_future().get();
  }
}

std::string echoed(int fd) {
  if (!write_all(fd, "there and back\n")) return "cannot be written to";
  ::shutdown(fd, SHUT_WR);
  return read_all(fd);
}

UniqueFd dial(const std::filesystem::path& path) {
  UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::strncpy(address.sun_path, path.c_str(), sizeof address.sun_path - 1);
  if (::connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) fd.reset();
  return fd;
}

}  // namespace capsa::test
