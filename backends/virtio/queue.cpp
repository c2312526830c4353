#include <atomic>
#include <backends/virtio/chain_walk.hpp>
#include <backends/virtio/queue.hpp>
#include <bit>
#include <string>

namespace capsa::virtio {
namespace {

// Layout of the rings in 16-bit words (virtio 1.2, 2.7.6 and 2.7.8).
constexpr std::size_t kFlags = 0;
constexpr std::size_t kIndex = 1;
constexpr std::size_t kRing = 2;

constexpr std::uint16_t kNoInterrupt = 1;  // in the available ring: the driver's wish
constexpr std::uint16_t kNoNotify = 1;     // in the used ring: ours

constexpr std::uint64_t kDescriptorSize = 16;
constexpr std::uint64_t kUsedElementSize = 8;

/// Each word of the rings is read and written through this, exactly once per use: the driver runs
/// at the same time.
std::atomic_ref<std::uint16_t> word(std::uint16_t* ring, std::size_t index) {
  return std::atomic_ref<std::uint16_t>(ring[index]);
}

error bad_queue(std::string_view what) {
  return {ErrorCode::InvalidConfig, "virtqueue: " + std::string(what)};
}

template <class T>
bool aligned(const void* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer) % alignof(T) == 0;
}

}  // namespace

result<Queue> Queue::create(std::shared_ptr<const memory::GuestMemory> memory, QueueConfig config) {
  if (!memory) return bad_queue("there is no guest memory");
  if (config.size > kMaxQueueSize || !std::has_single_bit(config.size)) {
    return bad_queue("size " + std::to_string(config.size) + " is not a power of two up to " +
                     std::to_string(kMaxQueueSize));
  }
  // virtio 1.2, 2.7: alignments of the three parts.
  if (config.descriptors % 16 != 0 || config.available % 2 != 0 || config.used % 4 != 0) {
    return bad_queue("a ring is misaligned");
  }
  const std::uint64_t event_word = config.event_idx ? 2 : 0;
  const auto descriptors = memory->slice(config.descriptors, kDescriptorSize * config.size);
  const auto available = memory->slice(config.available, 4 + 2ULL * config.size + event_word);
  const auto used = memory->slice(config.used, 4 + kUsedElementSize * config.size + event_word);
  if (!descriptors || !available || !used) {
    return bad_queue("a ring does not lie in one piece of guest memory");
  }
  // A region may begin anywhere in its file, so the guest's alignment need not be ours.
  if (!aligned<std::uint16_t>(available->data()) || !aligned<std::uint32_t>(used->data())) {
    return bad_queue("a ring is misaligned in its file");
  }
  Rings rings;
  rings.descriptors = *descriptors;
  rings.available = reinterpret_cast<std::uint16_t*>(available->data());
  rings.used = reinterpret_cast<std::uint16_t*>(used->data());
  return Queue(std::move(memory), config, rings);
}

Queue::Queue(std::shared_ptr<const memory::GuestMemory> memory, QueueConfig config, Rings rings)
    : memory_(std::move(memory)),
      config_(config),
      rings_(rings),
      next_available_(config.next_available),
      // A queue that ran before goes on where its used ring stands; a fresh one is zeroed.
      next_used_(word(rings.used, kIndex).load(std::memory_order_relaxed)) {}

std::optional<Chain> Queue::pop() {
  if (broken()) return std::nullopt;
  // Acquire: the ring entry and the descriptors were written before idx was.
  const std::uint16_t index = word(rings_.available, kIndex).load(std::memory_order_acquire);
  const auto pending = static_cast<std::uint16_t>(index - next_available_);
  if (pending == 0) return std::nullopt;
  if (pending > config_.size) {
    broken_reason_ = "more chains available than the queue holds";
    return std::nullopt;
  }
  const std::uint16_t head = word(rings_.available, kRing + next_available_ % config_.size)
                                 .load(std::memory_order_relaxed);
  auto chain = walk_chain(*memory_, rings_.descriptors, head, config_.indirect, broken_reason_);
  if (chain) ++next_available_;
  return chain;
}

void Queue::undo_pop() noexcept {
  --next_available_;
}

void Queue::push(std::uint16_t head, std::uint32_t written) {
  const Used chain{head, written};
  push(std::span(&chain, 1));
}

void Queue::push(std::span<const Used> chains) {
  if (broken()) return;
  for (const Used& chain : chains) {
    auto* element = reinterpret_cast<std::uint32_t*>(rings_.used + kRing) +
                    2 * std::size_t{static_cast<std::uint16_t>(next_used_ % config_.size)};
    std::atomic_ref<std::uint32_t>(element[0]).store(chain.head, std::memory_order_relaxed);
    std::atomic_ref<std::uint32_t>(element[1]).store(chain.written, std::memory_order_relaxed);
    ++next_used_;
    if (pushed_since_signal_ <= 0xffff) ++pushed_since_signal_;
  }
  // Release: what the device wrote, and the elements, are there before idx says so.
  word(rings_.used, kIndex).store(next_used_, std::memory_order_release);
}

bool Queue::should_signal() {
  if (pushed_since_signal_ == 0) return false;
  const std::uint32_t pushed = pushed_since_signal_;
  pushed_since_signal_ = 0;
  // used.idx must be visible before we look at what the driver asked for; it writes its wish and
  // then looks at used.idx. Without this on both sides each can miss the other.
  std::atomic_thread_fence(std::memory_order_seq_cst);
  if (!config_.event_idx) {
    return (word(rings_.available, kFlags).load(std::memory_order_relaxed) & kNoInterrupt) == 0;
  }
  // The first time we do not know what was signalled before us; a spurious interrupt does no harm.
  // Nor does one for a whole turn of the 16-bit index, which the comparison below cannot see.
  if (!signalled_once_ || pushed > 0xffff) {
    signalled_once_ = true;
    return true;
  }
  const std::uint16_t event =
      word(rings_.available, kRing + config_.size).load(std::memory_order_relaxed);
  // virtio 1.2, 2.7.7.2: whether idx passed used_event since the last signal, modulo 2^16.
  return static_cast<std::uint16_t>(next_used_ - event - 1) < pushed;
}

bool Queue::enable_notifications() {
  if (broken()) return false;
  if (config_.event_idx) {
    word(rings_.used, kRing + std::size_t{4} * config_.size)
        .store(next_available_, std::memory_order_relaxed);
  } else {
    word(rings_.used, kFlags).store(0, std::memory_order_relaxed);
  }
  // Our wish must be visible before we look at avail.idx again: the mirror of should_signal().
  std::atomic_thread_fence(std::memory_order_seq_cst);
  return word(rings_.available, kIndex).load(std::memory_order_acquire) != next_available_;
}

void Queue::disable_notifications() {
  // With event_idx there is nothing to take back: an avail_event that was passed stays silent.
  if (broken() || config_.event_idx) return;
  word(rings_.used, kFlags).store(kNoNotify, std::memory_order_relaxed);
}

}  // namespace capsa::virtio
