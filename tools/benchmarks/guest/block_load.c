// The init of a guest that measures its disks. Reads lines from the console,
//   SERIAL read|write SIZE DEPTH MILLISECONDS
// keeps DEPTH requests of SIZE bytes at random places of the disk with that serial number in flight
// for that long, past the guest's cache (O_DIRECT), and answers "took N ns", the time per request.
// Needs a kernel with all drivers built in.
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
#include <sys/stat.h>
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

// Which of vda, vdb, ... it is depends on the order of the machine's slots.
static int open_disk(const char* serial, uint64_t* bytes) {
  for (char letter = 'a'; letter <= 'h'; ++letter) {
    char path[64];
    char found[64] = "";
    snprintf(path, sizeof path, "/sys/block/vd%c/serial", letter);
    FILE* const file = fopen(path, "r");
    if (file == NULL) continue;
    const int known = fscanf(file, "%63s", found);
    fclose(file);
    if (known != 1 || strcmp(found, serial) != 0) continue;
    snprintf(path, sizeof path, "/dev/vd%c", letter);
    const int fd = open(path, O_RDWR | O_DIRECT);
    return fd < 0 || ioctl(fd, BLKGETSIZE64, bytes) == 0 ? fd : -1;
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
  mkdir("/sys", 0755);
  mount("sysfs", "/sys", "sysfs", 0, NULL);
  setvbuf(stdout, NULL, _IOLBF, 0);
  printf("block_load waits\n");
  char line[128];
  while (fgets(line, sizeof line, stdin) != NULL) {
    char serial[32];
    char what[16];
    unsigned long size = 0;
    int depth = 0;
    int ms = 0;
    if (sscanf(line, "%31s %15s %lu %d %d", serial, what, &size, &depth, &ms) != 5 || size < 512 ||
        size > kMaxSize || depth < 1 || depth > kMaxDepth)
      continue;
    uint64_t bytes = 0;
    const int fd = open_disk(serial, &bytes);
    const double taken =
        fd < 0 ? -1 : measure(fd, bytes, strcmp(what, "write") == 0, size, depth, ms);
    if (fd >= 0) close(fd);
    printf("took %.0f ns\n", taken);
  }
  for (;;)
    pause();
}
