// capsa-launcher PARENT_PID PIDFILE -- PROGRAM ARGUMENTS…
//
// Stands between our process and a hypervisor for a moment, to do what posix_spawn(3) cannot: tie
// the hypervisor's life to the thread that spawned it, so that a SIGKILL of our process leaves
// nothing running. Static and small, because every start of a machine waits for it.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

// What a shell says when it cannot run a program.
enum { kCannotRun = 127 };

static void fail(const char* what, const char* detail) {
  fprintf(stderr, "capsa-launcher: %s%s%s: %s\n", what, detail[0] ? " " : "", detail,
          strerror(errno));
  exit(kCannotRun);
}

// Field 22 of /proc/self/stat: start time in ticks since boot. It stays the same over execve(2).
static unsigned long long start_time(void) {
  char text[2048];
  const int file = open("/proc/self/stat", O_RDONLY | O_CLOEXEC);
  if (file < 0) fail("open", "/proc/self/stat");
  const ssize_t length = read(file, text, sizeof text - 1);
  if (length <= 0) fail("read", "/proc/self/stat");
  close(file);
  text[length] = '\0';
  // The program's name may hold spaces and parentheses; the last one closes it.
  const char* at = strrchr(text, ')');
  for (int field = 2; at != NULL && field < 22; ++field) {
    at = strchr(at, ' ');
    if (at != NULL) ++at;
  }
  if (at == NULL) {
    errno = EPROTO;
    fail("parse", "/proc/self/stat");
  }
  return strtoull(at, NULL, 10);
}

static void write_pid_file(const char* path) {
  char text[64];
  const int length = snprintf(text, sizeof text, "%ld %llu\n", (long)getpid(), start_time());
  const int file = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file < 0) fail("create", path);
  if (write(file, text, (size_t)length) != length) fail("write", path);
  close(file);
}

// The host program's choices about signals are not the hypervisor's.
static void reset_signals(void) {
  sigset_t none;
  for (int number = 1; number < NSIG; ++number)
    signal(number, SIG_DFL);  // fails where it may not
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

int main(int argc, char** argv) {
  if (argc < 5 || strcmp(argv[3], "--") != 0) {
    fprintf(stderr, "usage: capsa-launcher PARENT_PID PIDFILE -- PROGRAM ARGUMENTS...\n");
    return kCannotRun;
  }
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) fail("prctl", "");
  // The parent may have died before the line above; its death will not be signalled any more.
  if ((long)getppid() != strtol(argv[1], NULL, 10)) {
    fprintf(stderr, "capsa-launcher: the parent process is gone\n");
    return kCannotRun;
  }
  reset_signals();
  // Away from the terminal: Ctrl-C is for the host program, which decides what to do with its VMs.
  setsid();
  if (argv[2][0] != '\0') write_pid_file(argv[2]);
  execvp(argv[4], argv + 4);
  fail("run", argv[4]);
}
