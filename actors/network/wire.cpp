#include <actors/network/wire.hpp>

namespace capsa::network {

std::size_t Wire::send(net::FrameBatch& batch) {
  const std::size_t count = std::min<std::size_t>(batch.size(), credit_);
  if (count == 0) return 0;
  auto sent = std::make_shared<net::FrameBatch>();
  if (count == batch.size()) {
    *sent = std::move(batch);
  } else {
    for (std::size_t i = 0; i < count; ++i)
      sent->push(std::move(batch[i]));
    batch.drop_front(count);
  }
  credit_ -= static_cast<std::uint32_t>(count);
  caf::anon_send(peer_, protocol::frames_atom_v, id_, protocol::FrameBox{std::move(sent)});
  return count;
}

void Wire::handled(std::size_t frames) {
  owed_ += static_cast<std::uint32_t>(frames);
  if (owed_ < kWindow / 4) return;
  caf::anon_send(peer_, protocol::grant_atom_v, id_, std::exchange(owed_, 0));
}

void Wire::tell_offloads(const net::Offloads& ours) {
  if (ours == told_) return;
  told_ = ours;
  caf::anon_send(peer_, protocol::offloads_atom_v, id_, protocol::OffloadsBox{ours});
}

}  // namespace capsa::network
