#include <fcntl.h>
#include <linux/random.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include <agent/guest/early.hpp>
#include <agent/guest/files.hpp>
#include <agent/guest/init_platform.hpp>
#include <agent/guest/network.hpp>
#include <agent/guest/proc_text.hpp>
#include <algorithm>
#include <capsa/detail/unique_fd.hpp>
#include <cerrno>
#include <cstring>

namespace capsa::agent::guest {

namespace {

struct EntropyRequest {  // rand_pool_info of random(4), with its flexible array
  int bits = 0;
  int size = 0;
  std::byte bytes[512] = {};
};

/// Images have no /etc/hosts, or an empty one: whoever runs them writes it.
void write_hosts() {
  constexpr std::string_view kHosts =
      "127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n";
  struct stat status {};
  if (::stat("/etc/hosts", &status) == 0 && status.st_size != 0) return;
  ::mkdir("/etc", 0755);
  const UniqueFd fd(::open("/etc/hosts", O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644));
  if (fd && ::write(fd.get(), kHosts.data(), kHosts.size()) < 0)
    log_line("the new root has no names of hosts");
}

}  // namespace

std::chrono::nanoseconds InitPlatform::wall_clock() {
  return std::chrono::system_clock::now().time_since_epoch();
}

int InitPlatform::set_wall_clock(std::chrono::nanoseconds since_1970) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(since_1970);
  timespec time{};
  time.tv_sec = seconds.count();
  time.tv_nsec = (since_1970 - seconds).count();
  return ::clock_settime(CLOCK_REALTIME, &time) == 0 ? 0 : errno;
}

int InitPlatform::add_entropy(std::span<const std::byte> bytes) {
  const UniqueFd fd(::open("/dev/urandom", O_WRONLY | O_CLOEXEC));
  if (!fd) return errno;
  EntropyRequest request;
  const auto size = std::min(bytes.size(), sizeof request.bytes);
  std::memcpy(request.bytes, bytes.data(), size);
  request.size = static_cast<int>(size);
  request.bits = request.size * 8;
  if (::ioctl(fd.get(), RNDADDENTROPY, &request) < 0) return errno;
  // Clones of one template start with one and the same generator: make it use the new bytes now.
  return ::ioctl(fd.get(), RNDRESEEDCRNG) == 0 ? 0 : errno;
}

int InitPlatform::set_hostname(const std::string& name) {
  return ::sethostname(name.data(), name.size()) == 0 ? 0 : errno;
}

int InitPlatform::mount(const std::string& source, const std::string& target,
                        const std::string& type, unsigned long flags, const std::string& options) {
  if (const int failure = make_dir(target, true, 0755); failure != 0) return failure;
  // They lie in a file system that was mounted a moment ago, where nobody else could make them.
  if (type == "overlay")
    for (const auto option : split(options, ','))
      for (const std::string_view own : {"upperdir=", "workdir="})
        if (option.starts_with(own))
          if (const int failure = make_dir(std::string(option.substr(own.size())), true, 0755);
              failure != 0)
            return failure;
  return ::mount(source.c_str(), target.c_str(), type.c_str(), flags,
                 options.empty() ? nullptr : options.c_str()) == 0
             ? 0
             : errno;
}

int InitPlatform::configure_interface(const std::string& mac, const std::string& address,
                                      unsigned prefix, const std::string& gateway) {
  return set_up_interface(mac, address, prefix, gateway);
}

int InitPlatform::set_resolvers(const std::vector<std::string>& resolvers) {
  return write_resolv_conf(resolvers);
}

int InitPlatform::switch_root(const std::string& path) {
  struct stat root {};
  struct stat fresh {};
  if (::stat("/", &root) < 0 || ::stat(path.c_str(), &fresh) < 0) return errno;
  // Only a mount can be moved over the root.
  if (!S_ISDIR(fresh.st_mode) || root.st_dev == fresh.st_dev) return EINVAL;
  // What is writable keeps its own: programs find there what came with them.
  struct statvfs fresh_fs {};
  const bool writable =
      ::statvfs(path.c_str(), &fresh_fs) == 0 && (fresh_fs.f_flag & ST_RDONLY) == 0;
  for (const std::string_view moved : {"/dev", "/proc", "/sys", "/run", "/tmp"}) {
    const std::string target = path + std::string(moved);
    if (writable && (moved == "/run" || moved == "/tmp")) {
      if (::mkdir(target.c_str(), 0755) == 0 && moved == "/tmp") ::chmod(target.c_str(), 01777);
      continue;
    }
    struct stat status {};
    // An image that is read-only and lacks the directory does without.
    if (::stat(target.c_str(), &status) < 0 && ::mkdir(target.c_str(), 0755) < 0) continue;
    if (::mount(moved.data(), target.c_str(), nullptr, MS_MOVE, nullptr) < 0 && errno != EINVAL)
      return errno;
  }
  if (::chdir(path.c_str()) < 0 || ::mount(".", "/", nullptr, MS_MOVE, nullptr) < 0 ||
      ::chroot(".") < 0 || ::chdir("/") < 0)
    return errno;
  write_hosts();
  return 0;
}

int InitPlatform::shut_down(bool reboot, std::chrono::milliseconds grace) {
  shutdown_.begin(reboot, grace);
  return 0;
}

}  // namespace capsa::agent::guest
