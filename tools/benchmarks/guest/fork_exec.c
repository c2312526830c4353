// Runs in the guest: forks, executes a program and waits for it, again and again, and prints how
// long each took in nanoseconds. What a command costs where nothing is between it and its caller.
//   fork_exec COUNT PROGRAM [ARGUMENT...]
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static long long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  for (long i = atol(argv[1]); i > 0; --i) {
    const long long begun = now();
    const pid_t child = fork();
    if (child < 0) return 1;
    if (child == 0) {
      execv(argv[2], argv + 2);
      _exit(127);
    }
    int status = 0;
    if (waitpid(child, &status, 0) != child || status != 0) return 1;
    printf("%lld\n", now() - begun);
  }
  return 0;
}
