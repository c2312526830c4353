#include <algorithm>
#include <backends/vhost_user/notifier.hpp>
#include <backends/vhost_user/session.hpp>
#include <bit>
#include <limits>
#include <string>

namespace capsa::vhost_user {
namespace {

error malformed(const Message& message, std::string_view what) {
  return {ErrorCode::BackendFailed,
          "vhost-user: " + name_of(message.header.request) + ": " + std::string(what)};
}

error unsupported(const Message& message, std::string_view what) {
  return {ErrorCode::UnsupportedFeature,
          "vhost-user: " + name_of(message.header.request) + ": " + std::string(what)};
}

bool same(const VringAddress& a, const VringAddress& b) {
  return a.descriptors == b.descriptors && a.available == b.available && a.used == b.used;
}

}  // namespace

std::optional<VringState> Session::vring_state(const Message& message) const {
  const auto state = message.as<VringState>();
  return state && state->index < rings_.size() ? state : std::nullopt;
}

void Session::set_features(const Message& message) {
  const auto features = message.as<std::uint64_t>();
  if (!features) return acknowledge(malformed(message, "a broken length"));
  if ((*features & ~(identity_.features | kFeatureProtocolFeatures)) != 0) {
    return acknowledge(malformed(message, "features that were not offered"));
  }
  if (features_ == features) return acknowledge({});
  change([this, value = *features] {
    // Only a driver that begins agrees on features.
    another_driver_ = true;
    features_ = value;
  });
}

void Session::set_protocol_features(const Message& message) {
  const auto features = message.as<std::uint64_t>();
  if (!features) return acknowledge(malformed(message, "a broken length"));
  if ((*features & ~protocol_features_offered()) != 0) {
    return acknowledge(malformed(message, "features that were not offered"));
  }
  protocol_features_ = *features;
  acknowledge({});
}

void Session::set_mem_table(const Message& message) {
  const auto header = message.prefix<MemTableHeader>();
  if (!header || header->regions > memory::GuestMemory::kMaxRegions ||
      message.payload.size() != sizeof(MemTableHeader) + header->regions * sizeof(MemRegion) ||
      message.fds.size() != header->regions) {
    return acknowledge(malformed(message, "a table of broken size"));
  }
  std::vector<memory::RegionSpec> specs;
  for (std::uint32_t i = 0; i < header->regions; ++i) {
    MemRegion region;
    std::memcpy(&region, message.payload.data() + sizeof(MemTableHeader) + i * sizeof(MemRegion),
                sizeof region);
    specs.push_back({region.guest_address, region.size, region.user_address, region.file_offset,
                     message.fds[i].get()});
  }
  auto mapped = memory::GuestMemory::map(specs);
  if (!mapped) return acknowledge(mapped.error());
  change([this, memory = specs.empty() ? nullptr : *mapped] { memory_ = memory; });
}

void Session::set_vring_num(const Message& message) {
  const auto state = vring_state(message);
  if (!state || state->number > virtio::kMaxQueueSize || !std::has_single_bit(state->number)) {
    return acknowledge(malformed(message, "no such ring, or a size out of range"));
  }
  Ring& ring = rings_[state->index];
  const auto size = static_cast<std::uint16_t>(state->number);
  if (ring.size == size) return acknowledge({});
  change_ring(state->index, [&ring, size] { ring.size = size; });
}

void Session::set_vring_addr(const Message& message) {
  const auto address = message.as<VringAddress>();
  if (!address || address->index >= rings_.size()) {
    return acknowledge(malformed(message, "no such ring"));
  }
  if ((address->flags & kVringFlagLog) != 0) {
    return acknowledge(unsupported(message, "writes are not logged"));
  }
  Ring& ring = rings_[address->index];
  if (ring.address && same(*ring.address, *address)) return acknowledge({});
  change_ring(address->index, [&ring, value = *address] { ring.address = value; });
}

void Session::set_vring_base(const Message& message) {
  const auto state = vring_state(message);
  if (!state || state->number > std::numeric_limits<std::uint16_t>::max()) {
    return acknowledge(malformed(message, "no such ring, or an index out of range"));
  }
  Ring& ring = rings_[state->index];
  const auto base = static_cast<std::uint16_t>(state->number);
  change_ring(state->index, [this, &ring, base] {
    // The driver that we know goes on from where we stopped.
    if (ring.next_available != base) another_driver_ = true;
    ring.next_available = base;
  });
}

void Session::get_vring_base(const Message& message) {
  const auto state = vring_state(message);
  // The answer has no room for "no".
  if (!state) {
    in_hand_.reset();
    return fail(malformed(message, "no such ring"));
  }
  const auto index = static_cast<virtio::QueueIndex>(state->index);
  auto finish = [this, index] {
    // A ring is stopped by this message, and started by the next kick descriptor.
    drop_kick(index);
    rings_[index].was_kicked = false;
    settle([this, index](result<void> outcome) {
      if (!outcome) return fail(outcome.error());
      const VringState base{index, rings_[index].next_available};
      reply(std::as_bytes(std::span(&base, 1)));
    });
  };
  if (!running_ || index >= running_->queues.size()) return finish();
  rest(Rest::Suspend, std::move(finish));
}

void Session::set_vring_enable(const Message& message) {
  const auto state = vring_state(message);
  if (!state || state->number > 1) {
    return acknowledge(malformed(message, "no such ring, or neither on nor off"));
  }
  rings_[state->index].enable = state->number == 1 ? Enable::On : Enable::Off;
  settle([this](result<void> outcome) { acknowledge(std::move(outcome)); });
}

void Session::set_vring_notifier(Message& message) {
  const auto value = message.as<std::uint64_t>();
  const auto index = static_cast<virtio::QueueIndex>(value.value_or(0) & kVringIndexMask);
  if (!value || index >= rings_.size()) return acknowledge(malformed(message, "no such ring"));
  UniqueFd fd;
  if ((*value & kVringNoFd) == 0) {
    if (message.fds.size() != 1) return acknowledge(malformed(message, "not one descriptor"));
    fd = std::move(message.fds.front());
    if (auto adopted = adopt_notifier(fd.get()); !adopted) return acknowledge(adopted.error());
  }
  switch (message.request()) {
    case Request::SetVringCall:
      calls_->call[index] = std::move(fd);
      // A ring that is started may get its notifier last. What was signalled until then went to one
      // that perhaps nobody reads any more; an interrupt for nothing does no harm.
      if (calls_->call[index]) notify(calls_->call[index].get());
      return acknowledge({});
    case Request::SetVringErr:
      calls_->error[index] = std::move(fd);
      return acknowledge({});
    default:
      break;
  }
  // Without a descriptor we would have to poll the ring.
  if (!fd) return acknowledge(unsupported(message, "rings are not polled"));
  drop_kick(index);
  rings_[index].kick = std::move(fd);
  host_.watch_kick(index, rings_[index].kick.get());
  settle([this](result<void> outcome) { acknowledge(std::move(outcome)); });
}

void Session::get_config(const Message& message) {
  const auto header = message.prefix<ConfigHeader>();
  std::vector<std::byte> payload(sizeof(ConfigHeader));
  ConfigHeader answer = header.value_or(ConfigHeader{});
  if (header && header->size <= kMaxConfigSize && header->offset <= kMaxConfigSize - header->size) {
    payload.resize(sizeof(ConfigHeader) + header->size);
    device_.read_config(header->offset, std::span(payload).subspan(sizeof(ConfigHeader)));
  } else {
    answer.size = 0;  // how this message says "no"
  }
  std::memcpy(payload.data(), &answer, sizeof answer);
  reply(payload);
}

void Session::set_config(const Message& message) {
  const auto header = message.prefix<ConfigHeader>();
  if (!header || header->size > kMaxConfigSize || header->offset > kMaxConfigSize - header->size ||
      message.payload.size() != sizeof(ConfigHeader) + header->size) {
    return acknowledge(malformed(message, "outside configuration space"));
  }
  device_.write_config(header->offset, std::span(message.payload).subspan(sizeof(ConfigHeader)));
  acknowledge({});
}

void Session::reset_device() {
  auto then = [this] {
    for (std::size_t i = 0; i < rings_.size(); ++i) {
      drop_kick(static_cast<virtio::QueueIndex>(i));
      rings_[i] = Ring{};
    }
    acknowledge({});
  };
  if (!has_driver_) return then();
  rest(Rest::Reset, std::move(then));
}

}  // namespace capsa::vhost_user
