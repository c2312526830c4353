// What disk_worker does to a disk, step by step: the guest carries it out, and the host's oracle
// tells by the same functions what every byte must be afterwards. C, as the guest's program is.
#pragma once

#include <stddef.h>
#include <stdint.h>

#define DISK_BLOCK 4096U
#define DISK_SECTOR 512U
#define DISK_MAX_BLOCKS 64U /* of one request: 256 KiB */

/// Bijective, and no bit of the outcome is without all bits of `x` (the finalizer of splitmix64).
static inline uint64_t disk_mix(uint64_t x) {
  x += 0x9e3779b97f4a7c15U;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

static inline void disk_bytes(uint64_t seed, uint64_t* out, size_t words) {
  for (size_t i = 0; i < words; ++i)
    out[i] = disk_mix(seed + i);
}

/// A sum of all words of a disk, in order. Starts with 0.
static inline uint64_t disk_sum(uint64_t sum, const uint64_t* words, size_t count) {
  for (size_t i = 0; i < count; ++i)
    sum = ((sum << 5 | sum >> 59) ^ words[i]) * 0x9e3779b97f4a7c15U;
  return sum;
}

// -- fill: each worker has a part of the disk for itself, so that the order between them is nothing

enum disk_operation {
  DISK_WRITE,
  DISK_ZERO,     // write zeroes, the space stays
  DISK_PUNCH,    // write zeroes, the space may go
  DISK_DISCARD,  // and then a write to the same place, as what a discard leaves is not said
  DISK_FLUSH,
};

struct disk_step {
  enum disk_operation operation;
  uint64_t block;  // of the disk
  uint32_t count;  // blocks
  uint64_t seed;   // of what is written
};

struct disk_script {
  uint64_t state;
  uint64_t first;   // block
  uint64_t blocks;  // of this worker's part
  uint64_t left;    // blocks still to be written
};

/// `amount` blocks are to be written by all workers together.
static inline struct disk_script disk_script_of(uint64_t seed, uint64_t disk_blocks,
                                                uint64_t amount, unsigned worker,
                                                unsigned workers) {
  struct disk_script script;
  script.blocks = disk_blocks / workers;
  script.first = script.blocks * worker;
  script.left = amount / workers;
  script.state = disk_mix(disk_mix(seed) + worker);
  return script;
}

/// 0 where the script has ended.
static inline int disk_next_step(struct disk_script* script, struct disk_step* step) {
  if (script->left == 0) return 0;
  const uint64_t dice = script->state = disk_mix(script->state);
  const unsigned of_32 = dice & 31U;
  step->operation = of_32 < 22   ? DISK_WRITE
                    : of_32 < 24 ? DISK_ZERO
                    : of_32 < 26 ? DISK_PUNCH
                    : of_32 < 28 ? DISK_DISCARD
                                 : DISK_FLUSH;
  step->count = (uint32_t)(1 + (dice >> 8) % DISK_MAX_BLOCKS);
  if (step->count > script->left) step->count = (uint32_t)script->left;
  step->block = script->first + (dice >> 16) % (script->blocks - step->count + 1);
  step->seed = disk_mix(script->state ^ 0x5eed);
  if (step->operation == DISK_WRITE || step->operation == DISK_DISCARD) script->left -= step->count;
  return 1;
}

// -- journal: rounds of writes, each followed by a flush; every sector tells of which round it is

#define DISK_ROUND_WRITES 8U
#define DISK_ROUND_BLOCKS 16U

/// The write number `i` of a round. Rounds begin with 1: a sector of round 0 was never written.
static inline struct disk_step disk_round_write(uint64_t seed, uint64_t disk_blocks,
                                                unsigned worker, unsigned workers, uint64_t round,
                                                unsigned i) {
  const uint64_t dice = disk_mix(disk_mix(disk_mix(seed + worker) + round) + i);
  const uint64_t part = disk_blocks / workers;
  struct disk_step step;
  step.operation = DISK_WRITE;
  step.count = (uint32_t)(1 + (dice >> 8) % DISK_ROUND_BLOCKS);
  step.block = part * worker + (dice >> 16) % (part - step.count + 1);
  step.seed = seed;
  return step;
}

static inline void disk_round_sector(uint64_t seed, uint64_t round, uint64_t sector,
                                     uint64_t* out) {
  disk_bytes(disk_mix(disk_mix(seed + round) + sector), out, DISK_SECTOR / sizeof *out);
  out[0] = round;
  out[1] = sector;
}
