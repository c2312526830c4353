// Runs in the guest, as root: makes it look like the host, loads KVM, becomes the command.

#include <fcntl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <sched.h>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <tools/lab/plan.hpp>
#include <tools/lab/standstill.hpp>

namespace {

using capsa::lab::Bind;
using capsa::lab::Plan;

// As env(1) has them.
constexpr int kOwnFailure = 125;
constexpr int kNotExecutable = 126;
constexpr int kNotFound = 127;

/// Where the command's file system is put together, and where what it writes is kept.
constexpr const char* kNewRoot = "/.lab/root";
constexpr const char* kWritten = "/.lab/written";

[[noreturn]] void give_up(const std::string& doing) {
  std::fprintf(stderr, "capsa-kvm-lab: %s: %s\n", doing.c_str(), std::strerror(errno));
  std::_Exit(kOwnFailure);
}

void make_dirs(const std::string& path) {
  for (auto end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const auto part = path.substr(0, end);
    if (::mkdir(part.c_str(), 0755) != 0 && errno != EEXIST) give_up("make " + part);
    if (end == std::string::npos) return;
  }
}

void mount(const std::string& source, const std::string& target, const char* type,
           unsigned long flags = 0, const std::string& data = {}) {
  if (::mount(source.c_str(), target.c_str(), type, flags, data.empty() ? nullptr : data.c_str()))
    give_up("mount " + source + " at " + target);
}

void load_module(const std::string& file) {
  const int fd = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) give_up("open the kernel module " + file);
  if (::syscall(SYS_finit_module, fd, "", 0) != 0 && errno != EEXIST)
    give_up("load the kernel module " + file);
  ::close(fd);
}

/// The host's files, where everything can be written: what is written stays in memory, and is gone
/// with the guest.
void mount_root(const std::string& host) {
  make_dirs(kNewRoot);
  make_dirs(kWritten);
  mount("tmpfs", kWritten, "tmpfs", 0, "mode=0755");
  const std::string upper = std::string(kWritten) + "/upper";
  const std::string work = std::string(kWritten) + "/work";
  make_dirs(upper);
  make_dirs(work);
  mount("lab", kNewRoot, "overlay", 0,
        "lowerdir=" + host + ",upperdir=" + upper + ",workdir=" + work);
}

void empty_directories(const std::vector<std::string>& kept) {
  // Held while a new file system covers them; shown again on top of it.
  std::vector<std::pair<int, std::string>> held;
  for (const auto& path : kept) {
    const std::string full = kNewRoot + path;
    const int fd = ::open(full.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) give_up("open " + path);
    held.emplace_back(fd, full);
  }
  for (const auto& path : capsa::lab::kEmptied) {
    make_dirs(kNewRoot + path);
    mount("tmpfs", kNewRoot + path, "tmpfs", MS_NOSUID | MS_NODEV,
          path == "/tmp" ? "mode=1777" : "mode=0755");
  }
  for (const auto& [fd, full] : held) {
    make_dirs(full);
    mount("/proc/self/fd/" + std::to_string(fd), full, nullptr, MS_BIND);
    ::close(fd);
  }
}

void build_root(const Plan& plan) {
  // Mounts of this process and its children only: the agent keeps its own view.
  if (::unshare(CLONE_NEWNS) != 0) give_up("make a mount namespace");
  mount("none", "/", nullptr, MS_REC | MS_PRIVATE);
  mount_root(plan.root);
  empty_directories(plan.kept);
  for (const char* kernels_own : {"/dev", "/proc", "/sys"}) {
    make_dirs(std::string(kNewRoot) + kernels_own);
    mount(kernels_own, std::string(kNewRoot) + kernels_own, nullptr, MS_BIND | MS_REC);
  }
  for (const Bind& bind : plan.binds) {
    make_dirs(kNewRoot + bind.to);
    mount(bind.from, kNewRoot + bind.to, nullptr, MS_BIND);
  }
}

/// Moves the new root over the old one: in a plain chroot(2) there would be no user namespaces.
void enter_root() {
  if (::chdir(kNewRoot) != 0) give_up("enter the new root");
  mount(".", "/", nullptr, MS_MOVE);
  if (::chroot(".") != 0) give_up("change the root");
}

[[noreturn]] void become(const std::vector<std::string>& command) {
  std::vector<char*> arguments;
  arguments.reserve(command.size() + 1);
  for (const auto& word : command)
    arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  ::execvp(arguments[0], arguments.data());
  const int why = errno;
  std::fprintf(stderr, "capsa-kvm-lab: %s: %s\n", arguments[0], std::strerror(why));
  std::_Exit(why == ENOENT ? kNotFound : kNotExecutable);
}

}  // namespace

int main(int argc, char** argv) {
  const auto plan = capsa::lab::from_arguments({argv + 1, argv + argc});
  if (!plan) {
    std::fputs("capsa-lab-enter: only capsa-kvm-lab calls this program\n", stderr);
    return kOwnFailure;
  }
  for (const auto& module : plan->modules)
    load_module(module);
  if (::access("/dev/kvm", R_OK | W_OK) != 0) give_up("open /dev/kvm");
  build_root(*plan);
  enter_root();
  if (::chdir(plan->working_dir.c_str()) != 0) give_up("enter " + plan->working_dir);
  capsa::lab::watch_for_standstill();
  become(plan->command);
}
