#include <fcntl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sched.h>
#include <array>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <new>
#include <tools/lab/standstill.hpp>

namespace capsa::lab {
namespace {

/// More than the lab is ever given.
constexpr unsigned kMaxCpus = 256;
constexpr unsigned kBeat = 5;  // seconds
/// A minute of the watcher's own life: where the whole guest got no time, nobody is late.
constexpr unsigned kPatience = 12;  // beats

using Beats = std::array<std::atomic<unsigned>, kMaxCpus>;

void write_file(const char* path, const char* text) {
  const int fd = ::open(path, O_WRONLY | O_CLOEXEC);
  if (fd < 0) return;
  static_cast<void>(!::write(fd, text, std::strlen(text)));
  ::close(fd);
}

/// The host shows the last lines: what the CPUs were doing, and why it ends. A crash would add its
/// own.
void give_up(unsigned cpu) {
  write_file("/proc/sys/kernel/printk", "7");
  write_file("/proc/sys/kernel/sysrq", "1");
  write_file("/proc/sysrq-trigger", "l");
  ::sleep(2);
  char line[96];
  std::snprintf(line, sizeof line, "<0>capsa-kvm-lab: CPU %u has run nothing for %u s\n", cpu,
                kBeat * kPatience);
  write_file("/dev/kmsg", line);
  write_file("/proc/sysrq-trigger", "b");
}

[[noreturn]] void watch(Beats& beats, unsigned own, unsigned cpus) {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(own, &only);
  if (::sched_setaffinity(0, sizeof only, &only) != 0) std::_Exit(0);
  ::prctl(PR_SET_NAME, "lab-watch");
  ::setsid();
  // The command's streams end with the command.
  const int null = ::open("/dev/null", O_RDWR);
  for (int fd = 0; fd < 3; ++fd)
    ::dup2(null, fd);
  std::array<unsigned, kMaxCpus> seen{};
  std::array<unsigned, kMaxCpus> late{};
  for (;;) {
    ++beats[own];
    ::sleep(kBeat);
    for (unsigned cpu = 0; cpu < cpus; ++cpu) {
      const unsigned now = beats[cpu];
      // 0: its watcher could not be started, or pinned.
      late[cpu] = now != 0 && now == seen[cpu] ? late[cpu] + 1 : 0;
      seen[cpu] = now;
      if (late[cpu] >= kPatience) give_up(cpu);
    }
  }
}

}  // namespace

void watch_for_standstill() {
  const long online = ::sysconf(_SC_NPROCESSORS_ONLN);
  const unsigned cpus = online < 1          ? 1
                        : online < kMaxCpus ? static_cast<unsigned>(online)
                                            : kMaxCpus;
  void* memory =
      ::mmap(nullptr, sizeof(Beats), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return;
  auto& beats = *new (memory) Beats{};
  // By way of a process that ends: they must not be children of the command.
  const pid_t between = ::fork();
  if (between == 0) {
    for (unsigned cpu = 0; cpu < cpus; ++cpu)
      if (::fork() == 0) watch(beats, cpu, cpus);
    std::_Exit(0);
  }
  if (between > 0) ::waitpid(between, nullptr, 0);
}

}  // namespace capsa::lab
