#pragma once

#include <capsa/result.hpp>
#include <memory>
#include <net/frame_batch.hpp>
#include <net/nat/config.hpp>
#include <net/nat/forward.hpp>
#include <net/nat/guest.hpp>
#include <net/nat/sanitizer.hpp>
#include <net/nat/verdict.hpp>
#include <optional>
#include <unordered_map>
#include <vector>

namespace capsa::net::nat {

/// What lies around a Nat: who watches descriptors, and who answers guests. Called only from inside
/// calls into the Nat, which none of these may call back.
class NatEdge {
 public:
  virtual ~NatEdge() = default;
  /// `events` (EPOLLIN, EPOLLOUT) of `fd` are to be told to Nat::ready() from now on,
  /// level-triggered; those of before no longer. 0: none at all, not even errors, which epoll tells
  /// unasked: such a descriptor is taken out. Only changes are told.
  virtual void watch(int fd, std::uint32_t events) = 0;
  /// Closed when this has returned; its number may come again at once. Only for what was watched.
  virtual void unwatch(int fd) = 0;
  /// A frame that was not taken. `packet` is valid where is_answered(verdict).
  virtual void refused(const Frame& frame, const Packet& packet, Verdict verdict) = 0;
};

using ForwardId = std::uint64_t;

struct OpenForward {
  ForwardId id = 0;
  std::uint16_t host_port = 0;
};

/// User-mode NAT between the guests of one virtual network and the host's sockets: Sanitizer, one
/// libslirp per guest, caps on flows, port forwards. Frames come from a switch that lets guests use
/// their own addresses only; what services answer (ARP, DHCP, DNS, the gateway's ping) does not
/// come here. All Nats of a process live on one thread, because libslirp has globals.
///
/// input() and ready() take what has come, step() handles it: once for all that came together.
/// Frames to guests are then taken with take_frames().
class Nat final : private GuestListener {
 public:
  /// After which a guest without flows and forwards is forgotten, and its buffers are freed.
  static constexpr std::chrono::seconds kGuestLife{60};

  /// InvalidConfig where the addresses do not fit each other. `edge` outlives the Nat.
  static result<std::unique_ptr<Nat>> create(const NatConfig& config, NatEdge& edge);
  ~Nat() override;

  // -- frames and events
  /// From guests: any metadata, but such as check_offload() accepts.
  void input(FrameBatch batch, TimePoint now);
  /// Epoll events of a descriptor that is watched.
  void ready(int fd, std::uint32_t events);
  void step(TimePoint now);
  /// When step() is to be called although nothing has come.
  std::optional<TimePoint> next_deadline() const;
  /// To guests; empty where there are none. Segments that are larger than the MTU have
  /// FrameMeta::gso. Frames that are not taken keep sockets from being read.
  FrameBatch take_frames();

  // -- port forwards
  /// See add_forward() for errors. The guest need not have sent anything yet. Not limited in
  /// number: they are the user's.
  result<OpenForward> open_forward(const ForwardSpec& spec, TimePoint now);
  /// NotFound for an id that is none (any more). Connections that were made stay.
  result<void> close_forward(ForwardId id, TimePoint now);
  /// All flows and forwards of a guest that is gone.
  void forget(const MacAddress& guest);

  // -- properties
  Sanitizer& sanitizer() noexcept { return sanitizer_; }
  /// Descriptors, forwards not counted.
  std::size_t sockets() const noexcept;
  std::size_t guests() const noexcept { return guests_.size(); }
  const NatStats& stats() const noexcept { return stats_; }
  /// Frames of guests by what became of them.
  const VerdictCounts& verdicts() const noexcept { return verdicts_; }

 private:
  struct Forward {
    ForwardSpec spec;
    std::uint16_t host_port = 0;
  };
  using Guests = std::unordered_map<MacAddress, std::unique_ptr<Guest>>;

  Nat(const NatConfig& config, NatEdge& edge);
  Verdict input(Frame& frame, Packet& packet, TimePoint now);
  Guest* find(const MacAddress& mac) const;
  result<Guest*> find_or_make(const MacAddress& mac, TimePoint now);
  bool make_room_for_guest();
  void sweep(TimePoint now);

  // -- GuestListener
  void deliver(Frame frame) override;
  bool may_open() const override { return sockets() < config_.limits.sockets; }
  void opened(int fd) override;
  void closing(int fd) override;
  void waits_for(int fd, std::uint32_t events) override { edge_.watch(fd, events); }

  const NatConfig config_;
  NatEdge& edge_;
  Sanitizer sanitizer_;
  const bool pings_;
  NatStats stats_;
  VerdictCounts verdicts_{};
  std::shared_ptr<FramePool> lists_ = FramePool::create(0);  // of batches only
  std::deque<FrameBatch> out_;
  std::unordered_map<int, Guest*> owners_;  // of descriptors
  Guest* current_ = nullptr;                // whom a call into is under way
  std::unordered_map<ForwardId, Forward> forwards_;
  ForwardId next_forward_ = 1;
  TimePoint swept_;
  Guests guests_;  // last: their end calls back
};

}  // namespace capsa::net::nat
