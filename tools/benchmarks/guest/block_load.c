// The init of a guest that measures its disk, /dev/vda. Reads lines from the console,
//   read|write SIZE DEPTH MILLISECONDS
// keeps DEPTH requests of SIZE bytes at random places in flight for that long, past the guest's
// cache (O_DIRECT), and answers "took N ns", the time per request. Needs a kernel with all drivers
// built in.
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/fs.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { kMaxDepth = 64, kMaxSize = 1 << 20 };

static long long now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static uint64_t next_random(void) {
  static uint64_t state = 88172645463325252ULL;  // xorshift64 (Marsaglia 2003)
  state ^= state << 13;
  state ^= state >> 7;
  return state ^= state << 17;
}

static int open_disk(uint64_t* bytes) {
  for (int tries = 0; tries < 500; ++tries) {
    const int fd = open("/dev/vda", O_RDWR | O_DIRECT);
    if (fd >= 0) return ioctl(fd, BLKGETSIZE64, bytes) == 0 ? fd : -1;
    usleep(10000);
  }
  return -1;
}

// Nanoseconds per request; negative where one failed.
static double measure(int fd, uint64_t bytes, int writes, uint64_t size, int depth, int ms) {
  static struct iocb requests[kMaxDepth];
  static void* buffers[kMaxDepth];
  aio_context_t context = 0;
  if (syscall(SYS_io_setup, depth, &context) != 0) return -1;
  for (int i = 0; i < depth; ++i) {
    if (buffers[i] == NULL && posix_memalign(&buffers[i], 4096, kMaxSize) != 0) return -1;
    memset(buffers[i], 'a' + i % 26, size);
    memset(&requests[i], 0, sizeof requests[i]);
    requests[i].aio_fildes = fd;
    requests[i].aio_lio_opcode = writes ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD;
    requests[i].aio_buf = (uintptr_t)buffers[i];
    requests[i].aio_nbytes = size;
    requests[i].aio_data = i;
  }
  const long long begun = now();
  const long long until = begun + ms * 1000000LL;
  struct iocb* ready[kMaxDepth];
  int count = 0;
  for (; count < depth; ++count)
    ready[count] = &requests[count];
  int in_flight = 0;
  long done = 0;
  while (count > 0 || in_flight > 0) {
    for (int i = 0; i < count; ++i)
      ready[i]->aio_offset = next_random() % (bytes / size) * size;
    for (int sent = 0; sent < count;) {
      const long n = syscall(SYS_io_submit, context, count - sent, ready + sent);
      if (n <= 0) return -1;
      sent += n;
    }
    in_flight += count;
    struct io_event events[kMaxDepth];
    const long n = syscall(SYS_io_getevents, context, 1, kMaxDepth, events, NULL);
    if (n <= 0) return -1;
    in_flight -= n;
    done += n;
    count = 0;
    const int more = now() < until;
    for (int i = 0; i < n; ++i) {
      if (events[i].res != (int64_t)size) return -1;
      if (more) ready[count++] = &requests[events[i].data];
    }
  }
  const double taken = now() - begun;
  syscall(SYS_io_destroy, context);
  return taken / done;
}

int main(void) {
  mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
  uint64_t bytes = 0;
  const int fd = open_disk(&bytes);
  setvbuf(stdout, NULL, _IOLBF, 0);
  printf(fd < 0 ? "there is no /dev/vda\n" : "block_load waits\n");
  char line[128];
  while (fgets(line, sizeof line, stdin) != NULL) {
    char what[16];
    unsigned long size = 0;
    int depth = 0;
    int ms = 0;
    if (sscanf(line, "%15s %lu %d %d", what, &size, &depth, &ms) != 4 || size < 512 ||
        size > kMaxSize || depth < 1 || depth > kMaxDepth)
      continue;
    printf("took %.0f ns\n", measure(fd, bytes, strcmp(what, "write") == 0, size, depth, ms));
  }
  for (;;)
    pause();
}
