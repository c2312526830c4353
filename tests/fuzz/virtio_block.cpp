// A hostile driver and a slow, failing store around one virtio-blk device. The input is a script:
// requests well and badly formed, broken rings, completions in any order, suspensions and resets at
// any moment. What must hold whatever happens is checked at the store, which sees nothing but
// requests that keep to its rules, and in the rings.
#include <linux/virtio_blk.h>

#include <algorithm>
#include <backends/block/memory_store.hpp>
#include <backends/virtio/block/device.hpp>
#include <cstdlib>
#include <exception>
#include <memory>
#include <set>
#include <tests/support/fake_driver.hpp>
#include <tests/support/fuzz_input.hpp>
#include <vector>

namespace {

using namespace capsa;               // NOLINT: this is a program
using namespace capsa::virtio::blk;  // NOLINT

constexpr std::uint16_t kQueues = 2;
constexpr std::uint16_t kQueueSize = 16;

void require(bool condition) {
  if (!condition) std::abort();
}

/// A store in memory that looks at every request as the real ones trust it to be.
class StrictStore final : public block::BlockStore {
 public:
  explicit StrictStore(block::StoreInfo info) : memory_(info) {}

  const block::StoreInfo& info() const noexcept override { return memory_.info(); }
  void attach(block::StoreClient* client) noexcept override { memory_.attach(client); }
  void start(block::Request& request) override {
    check(request);
    memory_.start(request);
    require(memory_.in_flight() <= std::size_t{kQueues} * kQueueSize);
  }
  void submit() override { memory_.submit(); }
  void close(std::function<void()> done) override { memory_.close(std::move(done)); }
  block::MemoryStore& memory() { return memory_; }

 private:
  void check(const block::Request& request) const {
    const auto& store = info();
    require(request.offset % store.block_size == 0 && request.length % store.block_size == 0);
    require(request.offset <= store.size && request.length <= store.size - request.offset);
    std::uint64_t sum = 0;
    for (const iovec& one : request.buffers) {
      require(one.iov_len > 0);
      sum += one.iov_len;
    }
    require(request.buffers.size() <= block::kMaxBuffers);
    switch (request.operation) {
      case block::Operation::Read:
        require(sum == request.length && sum > 0);
        break;
      case block::Operation::Write:
        require(sum == request.length && sum > 0 && !store.read_only);
        break;
      case block::Operation::Discard:
        require(!store.read_only && store.discard && request.length <= store.max_discard);
        break;
      case block::Operation::WriteZeroes:
        require(!store.read_only && store.write_zeroes && request.length <= store.max_discard);
        break;
      default:
        require(request.buffers.empty() && request.length == 0);
        break;
    }
  }

  block::MemoryStore memory_;
};

class HostileGuest {
 public:
  explicit HostileGuest(test::FuzzInput& input) : input_(input) {
    const auto options = input.take<std::uint8_t>();
    block::StoreInfo info;
    info.block_size = (options & 1) != 0 ? 4096 : 512;
    info.size = 64 * 1024;
    info.read_only = (options & 2) != 0;
    info.discard = (options & 4) != 0;
    info.write_zeroes = (options & 8) != 0;
    info.max_discard = 32 * 1024;
    auto owned = std::make_unique<StrictStore>(info);
    store_ = &owned->memory();
    device_ = BlkDevice::create({.serial = "fuzz", .queues = kQueues, .queue_size = kQueueSize},
                                std::move(owned))
                  .value();
    driver_ = std::make_unique<test::FakeDriver>(
        device_->identity(),
        test::FakeDriverOptions{
            .memory_mib = 2, .event_idx = (options & 16) != 0, .indirect = (options & 32) != 0});
    activate();
  }

  void play() {
    while (!input_.empty()) {
      switch (input_.take<std::uint8_t>() % 16) {
        case 0:
        case 1:
        case 2:
        case 3:
        case 4:
          send_request();
          break;
        case 5:
          send_raw();
          break;
        case 6:
        case 7:
        case 8:
          if (store_->finish(input_.take<std::uint8_t>() % 8, error())) told_ = false;
          break;
        case 9:
        case 10:
          end_batch();
          break;
        case 11:
          take_back();
          break;
        case 12:
          corrupt();
          break;
        case 13:
          device_->process(input_.take<std::uint8_t>() % 4);
          break;
        case 14:
          stop();
          break;
        default:
          read_config();
          break;
      }
    }
    // All that was taken is answered, and then a reset ends at once.
    end_batch();
    while (store_->finish_all())
      require(++turns_ < 100'000);
    require(!stopping_);
    bool ended = false;
    device_->reset([&ended] { ended = true; });
    require(ended);
  }

 private:
  void activate() {
    const auto features = input_.take<std::uint8_t>();
    std::uint64_t agreed = 0;
    if ((features & 1) != 0) agreed |= 1ULL << VIRTIO_BLK_F_FLUSH;
    if ((features & 2) != 0) agreed |= 1ULL << VIRTIO_BLK_F_DISCARD;
    if ((features & 4) != 0) agreed |= 1ULL << VIRTIO_BLK_F_WRITE_ZEROES;
    driver_->activate(*device_, agreed, (features & 8) != 0 ? 1 : kQueues);
    for (virtio::QueueIndex queue = 0; queue < kQueues; ++queue)
      device_->process(queue);
  }

  int error() {
    switch (input_.take<std::uint8_t>() % 8) {
      case 0:
        return EIO;
      case 1:
        return EOPNOTSUPP;
      default:
        return 0;
    }
  }

  std::uint64_t sector() {
    const auto how = input_.take<std::uint8_t>();
    return how < 0xe0 ? how : input_.take<std::uint64_t>();
  }

  static void put(test::Bytes& out, const void* raw, std::size_t size) {
    const auto* bytes = static_cast<const std::byte*>(raw);
    out.insert(out.end(), bytes, bytes + size);
  }

  /// One that nearly makes sense.
  void send_request() {
    static constexpr std::uint32_t kTypes[] = {
        VIRTIO_BLK_T_IN,      VIRTIO_BLK_T_OUT,          VIRTIO_BLK_T_FLUSH, VIRTIO_BLK_T_GET_ID,
        VIRTIO_BLK_T_DISCARD, VIRTIO_BLK_T_WRITE_ZEROES, VIRTIO_BLK_T_IN,    VIRTIO_BLK_T_OUT};
    const auto how = input_.take<std::uint8_t>();
    const virtio_blk_outhdr header{kTypes[how % 8], 0, sector()};
    test::Bytes readable;
    put(readable, &header, sizeof header);
    std::size_t writable = 0;
    const std::size_t data = std::size_t{input_.take<std::uint8_t>()} % 20 * 512;
    if (header.type == VIRTIO_BLK_T_IN) {
      writable = data;
    } else if (header.type == VIRTIO_BLK_T_OUT) {
      readable.resize(readable.size() + data, std::byte{how});
    } else if (header.type == VIRTIO_BLK_T_GET_ID) {
      writable = data / 512;
    } else if (header.type != VIRTIO_BLK_T_FLUSH) {
      const virtio_blk_discard_write_zeroes range{sector(), input_.take<std::uint16_t>(),
                                                  input_.take<std::uint8_t>() % 4U};
      put(readable, &range, sizeof range);
    }
    if ((how & 0x80) != 0) readable.resize(input_.take<std::uint8_t>());
    if ((how & 0x40) == 0) ++writable;
    send(readable, writable, how >> 3 & 1);
  }

  void send_raw() {
    const auto bytes = input_.bytes(input_.take<std::uint8_t>());
    send({bytes.begin(), bytes.end()}, input_.take<std::uint16_t>() % 5000,
         input_.take<std::uint8_t>() & 1);
  }

  void send(const test::Bytes& readable, std::size_t writable, virtio::QueueIndex queue) {
    if (!driver_->options().indirect && driver_->free_descriptors(queue) < 4) return;
    const std::size_t cut = input_.take<std::uint8_t>() % (readable.size() + 1);
    const auto middle = readable.begin() + static_cast<std::ptrdiff_t>(cut);
    std::vector<std::size_t> pieces;
    const std::size_t first = input_.take<std::uint8_t>() % (writable + 1);
    if (first != 0) pieces.push_back(first);
    if (writable != first) pieces.push_back(writable - first);
    driver_->add(queue,
                 {test::Bytes(readable.begin(), middle), test::Bytes(middle, readable.end())},
                 pieces);
    const bool wanted = driver_->publish(queue);
    if (wanted || input_.take<std::uint8_t>() % 8 == 0) device_->process(queue);
  }

  void end_batch() {
    store_->end_batch();
    told_ = true;
  }

  void take_back() {
    for (virtio::QueueIndex queue = 0; queue < kQueues; ++queue) {
      while (const auto used = driver_->pop_used(queue))
        require(used->written <= 4U << 20);
    }
  }

  void corrupt() {
    const auto queue = static_cast<virtio::QueueIndex>(input_.take<std::uint8_t>() % kQueues);
    switch (input_.take<std::uint8_t>() % 3) {
      case 0: {
        test::RawDescriptor descriptor;
        descriptor.address = driver_->options().guest_address + input_.take<std::uint32_t>();
        descriptor.length = input_.take<std::uint32_t>();
        descriptor.flags = input_.take<std::uint8_t>();
        descriptor.next = input_.take<std::uint8_t>() % 20;
        driver_->raw_descriptor(queue, input_.take<std::uint8_t>() % kQueueSize, descriptor);
        break;
      }
      case 1:
        driver_->raw_add(queue, input_.take<std::uint8_t>() % 20);
        driver_->publish(queue);
        break;
      default:
        driver_->raw_available_index(queue, input_.take<std::uint16_t>());
        break;
    }
    device_->process(queue);
  }

  /// Ends the activation; the next begins once nothing is in flight.
  void stop() {
    if (stopping_) return;
    stopping_ = true;
    const auto again = [this] {
      require(store_->in_flight() == 0);
      stopping_ = false;
      activate();
    };
    if (input_.take<std::uint8_t>() % 2 == 0) {
      device_->reset(again);
    } else {
      device_->suspend(again);
    }
    require(!stopping_ || store_->in_flight() != 0 || !told_);
  }

  void read_config() {
    std::byte out[16];
    device_->read_config(input_.take<std::uint32_t>(),
                         std::span(out).first(input_.take<std::uint8_t>() % 16));
    device_->write_config(input_.take<std::uint32_t>(), out);
  }

  test::FuzzInput& input_;
  block::MemoryStore* store_ = nullptr;
  std::unique_ptr<BlkDevice> device_;
  std::unique_ptr<test::FakeDriver> driver_;
  bool stopping_ = false;
  bool told_ = true;
  int turns_ = 0;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  test::FuzzInput input(data, size);
  try {
    HostileGuest(input).play();
  } catch (const std::exception&) {
    // The fake driver refuses what it cannot do itself: no descriptors, no memory.
  }
  return 0;
}
