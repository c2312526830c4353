#include <fcntl.h>
#include <net/if.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <agent/guest/early.hpp>
#include <agent/guest/proc_text.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <cerrno>
#include <cstring>

namespace capsa::agent::guest {

namespace {

void mount_one(const char* type, const char* target, unsigned long flags, const char* options,
               mode_t mode = 0755) {
  ::mkdir(target, mode);
  // EBUSY: the kernel (devtmpfs) or whoever started us has mounted it already.
  if (::mount(type, target, type, flags, options) < 0 && errno != EBUSY)
    log_line(std::string("mount ") + target + ": " + std::strerror(errno));
}

void open_standard_fds() {
  // Without /dev/console in the initramfs we start without any; whatever is opened next would
  // become standard input of every program.
  while (true) {
    const int fd = ::open("/dev/console", O_RDWR | O_NOCTTY);
    const int usable = fd >= 0 ? fd : ::open("/dev/null", O_RDWR);
    if (usable < 0) return;
    if (usable > 2) {
      ::close(usable);
      return;
    }
  }
}

}  // namespace

void log_line(std::string_view line) {
  const std::string text = "capsa-agent: " + std::string(line) + "\n";
  if (::write(STDERR_FILENO, text.data(), text.size()) < 0) return;
}

void mount_first() {
  mount_one("devtmpfs", "/dev", MS_NOSUID, "mode=0755");
  open_standard_fds();
  mount_one("proc", "/proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, nullptr, 0555);
}

void mount_rest() {
  constexpr unsigned long kPlain = MS_NOSUID | MS_NODEV | MS_NOEXEC;
  mount_one("sysfs", "/sys", kPlain, nullptr, 0555);
  mount_one("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "mode=0620,gid=5,ptmxmode=0666");
  mount_one("tmpfs", "/dev/shm", MS_NOSUID | MS_NODEV, "mode=1777", 01777);
  mount_one("tmpfs", "/tmp", MS_NOSUID | MS_NODEV, "mode=1777", 01777);
  mount_one("tmpfs", "/run", MS_NOSUID | MS_NODEV, "mode=0755");
  // A kernel built small may have no control groups.
  struct stat status {};
  if (::stat("/sys/fs/cgroup", &status) == 0)
    mount_one("cgroup2", "/sys/fs/cgroup", kPlain, nullptr);
  // What shells and programs expect of /dev.
  ::symlink("/proc/self/fd", "/dev/fd");
  ::symlink("/proc/self/fd/0", "/dev/stdin");
  ::symlink("/proc/self/fd/1", "/dev/stdout");
  ::symlink("/proc/self/fd/2", "/dev/stderr");
}

void bring_up_loopback() {
  const UniqueFd socket(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
  if (!socket) return;  // a kernel without a network
  ifreq request{};
  std::strcpy(request.ifr_name, "lo");
  if (::ioctl(socket.get(), SIOCGIFFLAGS, &request) < 0) return;
  request.ifr_flags = static_cast<short>(request.ifr_flags | IFF_UP);
  ::ioctl(socket.get(), SIOCSIFFLAGS, &request);
}

std::string resolv_conf_from(std::string_view pnp) {
  std::string out;
  for (const auto line : split(pnp, '\n')) {
    const bool server = line.starts_with("nameserver ") && line != "nameserver 0.0.0.0";
    if (server || line.starts_with("domain ")) out += std::string(line) + "\n";
  }
  return out;
}

void fill_resolv_conf() {
  if (read_text("/etc/resolv.conf").find("nameserver") != std::string::npos) return;
  const std::string text = resolv_conf_from(read_text("/proc/net/pnp"));
  if (text.empty()) return;
  const UniqueFd fd(::open("/etc/resolv.conf", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644));
  if (!fd || ::write(fd.get(), text.data(), text.size()) < 0) log_line("write /etc/resolv.conf");
}

}  // namespace capsa::agent::guest
