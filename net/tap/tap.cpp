#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <net/offload.hpp>
#include <net/tap/tap.hpp>
#include <net/vnet_header.hpp>

namespace capsa::net {

result<std::unique_ptr<Tap>> Tap::create(TapDevice device, std::shared_ptr<FramePool> pool) {
  // Until somebody attaches.
  if (auto set = set_tap_offloads(device, {}); !set) return set.error();
  return std::unique_ptr<Tap>(new Tap(std::move(device), std::move(pool)));
}

Tap::Tap(TapDevice device, std::shared_ptr<FramePool> pool)
    : device_(std::move(device)), pool_(std::move(pool)), scratch_(kVnetHeaderBytes + kMaxFrame) {}

void Tap::attach(FrameReceiver* receiver) {
  receiver_ = receiver;
  offloads_changed();
}

void Tap::offloads_changed() {
  // What is not taken and comes nevertheless is dropped, see read().
  static_cast<void>(
      set_tap_offloads(device_, receiver_ != nullptr ? receiver_->offloads() : Offloads{}).ok());
}

// -- to the kernel

std::size_t Tap::credit() const {
  const std::size_t room = kBacklog - waiting_.size();
  if (room == 0) waited_for_ = true;
  return room;
}

std::size_t Tap::send(FrameBatch& batch) {
  std::size_t taken = 0;
  for (Frame& frame : batch) {
    // Nobody overtakes those that wait.
    if (frame && (wants_write() || !write(frame))) {
      if (waiting_.size() == kBacklog) break;
      if (!frame.is_of(*pool_)) frame = pool_->copy(frame);
      if (frame)
        waiting_.push_back(std::move(frame));
      else
        ++stats_.send_no_memory;
    }
    ++taken;
  }
  batch.drop_front(taken);
  return taken;
}

void Tap::on_writable() {
  while (!waiting_.empty() && write(waiting_.front()))
    waiting_.pop_front();
  if (!waited_for_ || waiting_.size() == kBacklog) return;
  waited_for_ = false;
  if (receiver_ != nullptr) receiver_->credit_available();
}

/// False where the kernel has no room for it now.
bool Tap::write(const Frame& frame) {
  const auto header = encode_vnet_header(frame.meta());
  const std::span<const std::byte> bytes = frame.bytes();
  const iovec parts[2] = {{const_cast<std::byte*>(header.data()), header.size()},
                          {const_cast<std::byte*>(bytes.data()), bytes.size()}};
  ssize_t count;
  do
    count = ::writev(device_.fd.get(), parts, 2);
  while (count < 0 && errno == EINTR);
  if (count >= 0) {
    ++stats_.sent_frames;
    stats_.sent_bytes += bytes.size();
    return true;
  }
  if (errno == EAGAIN) return false;
  ++stats_.send_refused;
  return true;
}

// -- from the kernel

bool Tap::on_readable() {
  FrameBatch batch = pool_->batch();
  Read last = Read::Frame;
  for (std::size_t at = 0; at < FrameBatch::kMaxFrames && last != Read::Nothing; ++at)
    last = read(batch);
  if (receiver_ != nullptr && !batch.empty()) receiver_->receive(std::move(batch));
  return last != Read::Nothing;
}

Tap::Read Tap::read(FrameBatch& batch) {
  ssize_t count;
  do
    count = ::read(device_.fd.get(), scratch_.data(), scratch_.size());
  while (count < 0 && errno == EINTR);
  if (count < 0) {
    gone_ = gone_ || errno == EBADFD;
    return Read::Nothing;
  }
  const std::span<const std::byte> all(scratch_.data(), static_cast<std::size_t>(count));
  if (all.size() < kVnetHeaderBytes + kMinFrame) {
    ++stats_.receive_bad;
    return Read::Lost;
  }
  // The kernel's, but what it says about a frame is what the frame's sender said.
  auto meta = decode_vnet_header(all.first<kVnetHeaderBytes>());
  const auto bytes = all.subspan(kVnetHeaderBytes);
  if (!meta || !check_offload(bytes, *meta)) {
    ++stats_.receive_bad;
    return Read::Lost;
  }
  if (receiver_ == nullptr || !receiver_->accepts(*meta)) {
    ++stats_.receive_unaccepted;
    return Read::Lost;
  }
  Frame frame = pool_->make(bytes);
  if (!frame) {
    ++stats_.receive_no_memory;
    return Read::Lost;
  }
  frame.meta() = *meta;
  batch.push(std::move(frame));
  ++stats_.received_frames;
  stats_.received_bytes += bytes.size();
  return Read::Frame;
}

}  // namespace capsa::net
