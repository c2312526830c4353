#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <sched.h>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <new>
#include <tools/lab/standstill.hpp>

namespace capsa::lab {
namespace {

/// More than the lab is ever given.
constexpr unsigned kMaxCpus = 256;
constexpr timespec kBeat{0, 100'000'000};
/// A minute of the watcher's own life: where the whole guest got no time, nobody is late.
constexpr unsigned kMinute = 600;                // beats
constexpr unsigned kLook = 50;                   // beats
constexpr unsigned kPatience = kMinute / kLook;  // looks

/// What the watchers share. A counter of wakes for each CPU's to wait at (futex(2)).
struct Shared {
  std::array<std::atomic<std::uint32_t>, kMaxCpus> beats{};
  std::array<std::atomic<std::uint32_t>, kMaxCpus> pokes{};
};

long futex(std::atomic<std::uint32_t>& word, int what, std::uint32_t value, const timespec* time) {
  return ::syscall(SYS_futex, &word, what, value, time, nullptr, 0);
}

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
  std::snprintf(line, sizeof line, "<0>capsa-kvm-lab: CPU %u has run nothing for a minute\n", cpu);
  write_file("/dev/kmsg", line);
  write_file("/proc/sysrq-trigger", "b");
}

/// Sleeps for a beat; true where that was its end, and not a poke.
bool beat(Shared& shared, unsigned own) {
  const std::uint32_t seen = shared.pokes[own];
  return futex(shared.pokes[own], FUTEX_WAIT, seen, &kBeat) != 0 && errno == ETIMEDOUT;
}

/// An interrupt for that CPU: its watcher goes before whatever runs there.
void poke(Shared& shared, unsigned cpu) {
  ++shared.pokes[cpu];
  futex(shared.pokes[cpu], FUTEX_WAKE, 1, nullptr);
}

[[noreturn]] void watch(Shared& shared, unsigned own, unsigned cpus) {
  cpu_set_t only;
  CPU_ZERO(&only);
  CPU_SET(own, &only);
  if (::sched_setaffinity(0, sizeof only, &only) != 0) std::_Exit(0);
  sched_param lowest{};
  lowest.sched_priority = ::sched_get_priority_min(SCHED_FIFO);
  ::sched_setscheduler(0, SCHED_FIFO, &lowest);
  ::prctl(PR_SET_NAME, "lab-watch");
  ::setsid();
  // The command's streams end with the command.
  const int null = ::open("/dev/null", O_RDWR);
  for (int fd = 0; fd < 3; ++fd)
    ::dup2(null, fd);
  std::array<unsigned, kMaxCpus> seen{};
  std::array<unsigned, kMaxCpus> late{};
  for (unsigned beats = 0;;) {
    ++shared.beats[own];
    if (!beat(shared, own)) continue;
    poke(shared, (own + 1) % cpus);
    if (++beats % kLook != 0) continue;
    for (unsigned cpu = 0; cpu < cpus; ++cpu) {
      const unsigned now = shared.beats[cpu];
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
      ::mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return;
  auto& shared = *new (memory) Shared{};
  // By way of a process that ends: they must not be children of the command.
  const pid_t between = ::fork();
  if (between == 0) {
    for (unsigned cpu = 0; cpu < cpus; ++cpu)
      if (::fork() == 0) watch(shared, cpu, cpus);
    std::_Exit(0);
  }
  if (between > 0) ::waitpid(between, nullptr, 0);
}

}  // namespace capsa::lab
