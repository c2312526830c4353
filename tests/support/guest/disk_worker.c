// The guest's end of disk tests; static, carried into the guest by the agent. Past the guest's page
// cache: what is asked for here is what the device gets.
//   disk_worker fill DISK SEED MIB WORKERS   writes MIB in random places, with flushes, discards
//                                            and zeroes between; see disk_script.h
//   disk_worker sum DISK                     prints the sum of all that is on it
//   disk_worker journal DISK SEED WORKERS    writes and flushes for ever, and prints "WORKER ROUND"
//                                            after each flush
//   disk_worker discard DISK                 discards all of it
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "disk_script.h"

static int disk;
static uint64_t disk_size;
static uint64_t* buffer;  // DISK_MAX_BLOCKS, aligned as O_DIRECT wants it

static void must(int ok, const char* what) {
  if (ok) return;
  perror(what);
  _exit(1);
}

static void write_blocks(uint64_t block, uint32_t count) {
  const size_t length = (size_t)count * DISK_BLOCK;
  must(pwrite(disk, buffer, length, (off_t)(block * DISK_BLOCK)) == (ssize_t)length, "write");
}

static void carry_out(const struct disk_step* step) {
  uint64_t range[2] = {step->block * DISK_BLOCK, (uint64_t)step->count * DISK_BLOCK};
  switch (step->operation) {
    case DISK_FLUSH:
      must(fdatasync(disk) == 0, "flush");
      return;
    case DISK_ZERO:
      must(ioctl(disk, BLKZEROOUT, range) == 0, "write zeroes");
      return;
    case DISK_PUNCH:
      must(fallocate(disk, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)range[0],
                     (off_t)range[1]) == 0,
           "punch");
      return;
    case DISK_DISCARD:
      must(ioctl(disk, BLKDISCARD, range) == 0, "discard");
      break;
    case DISK_WRITE:
      break;
  }
  disk_bytes(step->seed, buffer, range[1] / sizeof *buffer);
  write_blocks(step->block, step->count);
}

static void fill(uint64_t seed, uint64_t mib, unsigned worker, unsigned workers) {
  struct disk_script script =
      disk_script_of(seed, disk_size / DISK_BLOCK, (mib << 20) / DISK_BLOCK, worker, workers);
  struct disk_step step;
  while (disk_next_step(&script, &step))
    carry_out(&step);
  must(fsync(disk) == 0, "last flush");
}

static void journal(uint64_t seed, unsigned worker, unsigned workers) {
  for (uint64_t round = 1;; ++round) {
    for (unsigned i = 0; i < DISK_ROUND_WRITES; ++i) {
      const struct disk_step step =
          disk_round_write(seed, disk_size / DISK_BLOCK, worker, workers, round, i);
      const unsigned sectors = step.count * (DISK_BLOCK / DISK_SECTOR);
      for (unsigned s = 0; s < sectors; ++s)
        disk_round_sector(seed, round, step.block * (DISK_BLOCK / DISK_SECTOR) + s,
                          buffer + s * (DISK_SECTOR / sizeof *buffer));
      write_blocks(step.block, step.count);
    }
    must(fdatasync(disk) == 0, "flush");
    // One write, so that lines of several workers do not mix.
    char line[64];
    const int length = snprintf(line, sizeof line, "%u %llu\n", worker, (unsigned long long)round);
    must(write(1, line, (size_t)length) == length, "report");
  }
}

static void sum(void) {
  uint64_t total = 0;
  for (uint64_t at = 0; at < disk_size;) {
    const ssize_t n = pread(disk, buffer, (size_t)DISK_MAX_BLOCKS * DISK_BLOCK, (off_t)at);
    must(n > 0, "read");
    total = disk_sum(total, buffer, (size_t)n / sizeof *buffer);
    at += (uint64_t)n;
  }
  printf("%016llx\n", (unsigned long long)total);
}

static int wait_for_all(void) {
  int failed = 0;
  for (int status; wait(&status) > 0;)
    failed |= status;
  return failed != 0;
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const char* const what = argv[1];
  disk = open(argv[2], (strcmp(what, "sum") == 0 ? O_RDONLY : O_RDWR) | O_DIRECT | O_CLOEXEC);
  must(disk >= 0, argv[2]);
  must(ioctl(disk, BLKGETSIZE64, &disk_size) == 0, "size");
  must(posix_memalign((void**)&buffer, DISK_BLOCK, (size_t)DISK_MAX_BLOCKS * DISK_BLOCK) == 0,
       "memory");
  if (strcmp(what, "sum") == 0) {
    sum();
    return 0;
  }
  if (strcmp(what, "discard") == 0) {
    uint64_t range[2] = {0, disk_size};
    must(ioctl(disk, BLKDISCARD, range) == 0, "discard");
    return 0;
  }
  const int filling = strcmp(what, "fill") == 0;
  if (argc != (filling ? 6 : 5)) return 2;
  const uint64_t seed = strtoull(argv[3], NULL, 10);
  const unsigned workers = (unsigned)atoi(argv[argc - 1]);
  for (unsigned worker = 0; worker < workers; ++worker) {
    const pid_t child = fork();
    must(child >= 0, "fork");
    if (child != 0) continue;
    if (filling)
      fill(seed, strtoull(argv[4], NULL, 10), worker, workers);
    else
      journal(seed, worker, workers);
    _exit(0);
  }
  return wait_for_all();
}
