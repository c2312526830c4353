#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <backends/vcpu_threads.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <cerrno>
#include <memory>
#include <sstream>

namespace capsa::hypervisor {
namespace {

std::string task_path(pid_t pid, pid_t thread) {
  return "/proc/" + std::to_string(pid) + "/task/" + std::to_string(thread);
}

std::chrono::nanoseconds from_ticks(std::uint64_t ticks) {
  static const long per_second = ::sysconf(_SC_CLK_TCK);
  return std::chrono::nanoseconds(ticks * (1'000'000'000 / static_cast<std::uint64_t>(per_second)));
}

error thread_gone() {
  return {ErrorCode::NotRunning, "the vCPU's thread has ended"};
}

}  // namespace

result<VcpuStats> thread_stats(pid_t pid, pid_t thread) {
  const UniqueFd file(::open((task_path(pid, thread) + "/stat").c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return thread_gone();
  std::array<char, 2048> buffer{};
  const ssize_t length = ::read(file.get(), buffer.data(), buffer.size());
  if (length <= 0) return thread_gone();
  const std::string text(buffer.data(), static_cast<std::size_t>(length));
  // The name (field 2) may hold anything; the last ")" ends it. utime and stime are 14 and 15.
  const auto name_end = text.rfind(')');
  if (name_end == std::string::npos) return thread_gone();
  std::istringstream fields(text.substr(name_end + 1));
  std::string skipped;
  for (int field = 3; field < 14; ++field)
    fields >> skipped;
  std::uint64_t user = 0;
  std::uint64_t system = 0;
  if (!(fields >> user >> system)) return thread_gone();
  return VcpuStats{from_ticks(user), from_ticks(system), {}};
}

result<void> pin_thread(pid_t pid, pid_t thread, const std::vector<unsigned>& host_cpus) {
  if (host_cpus.empty()) return error(ErrorCode::InvalidConfig, "no host CPU to pin a vCPU to");
  const unsigned highest = *std::max_element(host_cpus.begin(), host_cpus.end());
  // The kernel silently drops CPUs that do not exist from a set in which others do.
  const auto existing = static_cast<unsigned>(std::max(1L, ::sysconf(_SC_NPROCESSORS_CONF)));
  if (highest >= existing)
    return error(ErrorCode::InvalidConfig, "this host has no CPU " + std::to_string(highest),
                 "use 0 to " + std::to_string(existing - 1));
  // The thread's number alone may be somebody else's by now; as a task of our child it is not.
  if (::access(task_path(pid, thread).c_str(), F_OK) != 0) return thread_gone();
  const auto free_set = [](cpu_set_t* set) { CPU_FREE(set); };
  const std::unique_ptr<cpu_set_t, decltype(free_set)> set(CPU_ALLOC(highest + 1), free_set);
  if (!set) return error(ErrorCode::ResourceExhausted, {});
  const std::size_t size = CPU_ALLOC_SIZE(highest + 1);
  CPU_ZERO_S(size, set.get());
  for (const unsigned cpu : host_cpus)
    CPU_SET_S(cpu, size, set.get());
  if (::sched_setaffinity(thread, size, set.get()) == 0) return {};
  if (errno == ESRCH) return thread_gone();
  if (errno == EINVAL)
    return error(ErrorCode::InvalidConfig, "none of the host CPUs given can be used",
                 "the process's own set is shown by `taskset -cp $$`");
  return error_from_errno(errno, "pin a vCPU");
}

}  // namespace capsa::hypervisor
