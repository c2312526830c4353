#include <signal.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>

#include <agent/guest/proc_text.hpp>
#include <agent/guest/shutdown.hpp>
#include <string>

namespace capsa::agent::guest {

namespace {

// Of the kernel alone: nothing to write back, and the way down still reads them.
bool is_kernels_own(std::string_view type) {
  for (const std::string_view own : {"proc", "sysfs", "devtmpfs", "devpts", "tmpfs", "ramfs",
                                     "rootfs", "cgroup2", "cgroup", "securityfs", "debugfs"})
    if (type == own) return true;
  return false;
}

// "server:/a\040b /mnt\040x type options 0 0": blanks in names are octal.
std::string unescaped(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\\' && i + 3 < text.size()) {
      out.push_back(static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                                      (text[i + 3] - '0')));
      i += 3;
    } else {
      out.push_back(text[i]);
    }
  }
  return out;
}

void unmount_all() {
  ::sync();
  const std::string mounts = read_text("/proc/self/mounts");
  const auto lines = split(mounts, '\n');
  // Last mounted, first unmounted: what lies on top of another goes before it.
  for (auto line = lines.rbegin(); line != lines.rend(); ++line) {
    const auto fields = split(*line, ' ');
    if (fields.size() < 4 || is_kernels_own(fields[2])) continue;
    const std::string target = unescaped(fields[1]);
    if (target != "/" && ::umount2(target.c_str(), UMOUNT_NOFOLLOW) == 0) continue;
    // Busy, or the root: at least nothing more is written to it.
    ::mount(nullptr, target.c_str(), nullptr, MS_REMOUNT | MS_RDONLY, nullptr);
  }
  ::sync();
}

// A kernel without a way to power off halts for ever instead, and does not say so before.
bool can_power_off() {
  const std::string command_line = read_text("/proc/cmdline");
  if (command_line_value(command_line, "capsa.poweroff").value == "reboot") return false;
  struct stat status {};
  return ::stat("/sys/firmware/acpi/tables", &status) == 0;
}

void end(bool reboot) {
  // Without a way to power off, a reset: the hypervisor is told to end at one.
  if (!reboot && can_power_off()) ::reboot(RB_POWER_OFF);
  ::reboot(RB_AUTOBOOT);
}

}  // namespace

ShutdownSteps machine_shutdown_steps() {
  ShutdownSteps steps;
  steps.signal_all = [](int signo) { ::kill(-1, signo); };
  steps.unmount_all = unmount_all;
  steps.end = end;
  return steps;
}

}  // namespace capsa::agent::guest
