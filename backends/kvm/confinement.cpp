#include <linux/filter.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <backends/kvm/confinement.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

namespace capsa::kvm {
namespace {

// What a vCPU's thread does: KVM_RUN and KVM_KVMCLOCK_CTRL, kicks of queues and lines (write), the
// serial port (sendto), waiting for the loop (futex), taking its signal back, memory for messages
// to the loop, and its own end.
constexpr int kAllowed[] = {
    SCMP_SYS(write), SCMP_SYS(read), SCMP_SYS(sendto), SCMP_SYS(futex), SCMP_SYS(rt_sigtimedwait),
    SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(mmap), SCMP_SYS(munmap),
    SCMP_SYS(mremap), SCMP_SYS(mprotect), SCMP_SYS(madvise), SCMP_SYS(brk), SCMP_SYS(clock_gettime),
    SCMP_SYS(gettimeofday), SCMP_SYS(sched_yield), SCMP_SYS(getpid), SCMP_SYS(gettid),
    SCMP_SYS(tgkill), SCMP_SYS(close), SCMP_SYS(exit), SCMP_SYS(exit_group),
    SCMP_SYS(restart_syscall), SCMP_SYS(membarrier), SCMP_SYS(set_robust_list), SCMP_SYS(rseq),
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    // The sanitizers' own: how they look whether memory is there, and the
    // end of their threads.
    SCMP_SYS(pipe), SCMP_SYS(pipe2), SCMP_SYS(sigaltstack),
#endif
    SCMP_SYS(getrandom)};

constexpr unsigned long kAllowedIoctls[] = {KVM_RUN, KVM_KVMCLOCK_CTRL, KVM_IRQ_LINE};

using Program = std::vector<sock_filter>;

result<Program> compile() {
  const std::unique_ptr<void, void (*)(void*)> filter(::seccomp_init(SCMP_ACT_ERRNO(EPERM)),
                                                      &::seccomp_release);
  if (!filter) return error(ErrorCode::ResourceExhausted, "no memory for a system call filter");
  int failed = 0;
  for (const int call : kAllowed)
    if (failed == 0) failed = ::seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, call, 0);
  for (const unsigned long request : kAllowedIoctls)
    if (failed == 0)
      failed = ::seccomp_rule_add(filter.get(), SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
                                  SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffff'ffff, request));
  const UniqueFd file(::memfd_create("capsa-filter", MFD_CLOEXEC));
  if (failed == 0 && !file) failed = -errno;
  if (failed == 0) failed = ::seccomp_export_bpf(filter.get(), file.get());
  if (failed != 0) return error_from_errno(-failed, "make a system call filter");
  const off_t size = ::lseek(file.get(), 0, SEEK_END);
  Program program(static_cast<std::size_t>(size) / sizeof(sock_filter));
  if (::pread(file.get(), program.data(), static_cast<std::size_t>(size), 0) != size)
    return error(ErrorCode::Internal, "a system call filter cannot be read back");
  return program;
}

bool is_off() {
  const char* const off = std::getenv("CAPSA_NO_SECCOMP");
  return off != nullptr && std::strcmp(off, "1") == 0;
}

/// Made once: every thread has the same. What failed is tried again by the next.
result<Program> filter() {
  static std::mutex mutex;
  static std::optional<Program> made;
  const std::lock_guard lock(mutex);
  if (!made) {
    auto compiled = compile();
    if (!compiled) return compiled;
    made = std::move(*compiled);
  }
  return *made;
}

}  // namespace

void prepare_confinement() {
  if (!is_off()) static_cast<void>(filter());
}

result<void> confine_this_thread() {
  if (is_off()) return {};
  auto program = filter();
  if (!program) return program.error();
  const sock_fprog code{static_cast<unsigned short>(program->size()), program->data()};
  // Without the first a filter needs a privilege. Both are for this thread alone, and the second
  // leaves speculation as it is: it is the guest that runs here, and the host's KVM that guards it.
  if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
      ::syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_SPEC_ALLOW, &code) != 0)
    return error(ErrorCode::UnsupportedFeature,
                 std::string("this kernel does not filter system calls: ") + std::strerror(errno),
                 "set CAPSA_NO_SECCOMP=1 to run guests without the filter");
  return {};
}

}  // namespace capsa::kvm
