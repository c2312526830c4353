#pragma once

#include <deque>
#include <memory>
#include <net/frame_batch.hpp>
#include <net/nat/flow_table.hpp>
#include <net/nat/forward.hpp>
#include <net/nat/slirp_session.hpp>
#include <vector>

namespace capsa::net::nat {

/// Counters of frames to guests.
struct NatStats {
  std::uint64_t frames_in = 0;   ///< from guests, that libslirp was given
  std::uint64_t frames_out = 0;  ///< to guests
  std::uint64_t large_in = 0;    ///< of them, segments that were not cut
  std::uint64_t large_out = 0;   ///< segments for somebody else to cut
  std::uint64_t unasked = 0;     ///< from peers that the guest had not sent to
  std::uint64_t unfit = 0;       ///< frames of libslirp that guests are not to see
  std::uint64_t no_room = 0;     ///< to guests, lost: a pool gave no frame
};

/// What is around a Guest.
class GuestListener {
 public:
  virtual ~GuestListener() = default;
  virtual void deliver(Frame frame) = 0;
  /// Whether there may be one more descriptor of whatever guest.
  virtual bool may_open() const = 0;
  virtual void opened(int fd) = 0;
  virtual void closing(int fd) = 0;
  virtual void waits_for(int fd, std::uint32_t events) = 0;
};

/// One MAC address and the libslirp stack that serves it. Each guest has a stack of its own: the
/// address tables of libslirp hold 16, its lists of sockets are searched from the start for every
/// frame, and so a guest with many addresses or flows is a burden to itself only.
class Guest final : private SlirpListener {
 public:
  /// Frames of a guest that it has not yet taken. From half of it on its sockets are not read.
  static constexpr std::size_t kPoolCap = 8U << 20;

  /// Fails as SlirpSession::create(). `config`, `listener` and `stats` outlive this.
  static result<std::unique_ptr<Guest>> create(const NatConfig& config, const MacAddress& mac,
                                               GuestListener& listener, NatStats& stats,
                                               TimePoint now);

  /// A frame that passed the sanitizer, or belongs to a flow. step() follows.
  Verdict input(Frame& frame, Packet& packet, TimePoint now);
  void ready(PollEntry entry) {
    session_->ready({&entry, 1});
    touched_ = true;
  }
  /// Does what is due, if anything.
  void step(TimePoint now);
  std::optional<TimePoint> next_deadline() const noexcept;

  result<std::uint16_t> open_forward(const ForwardSpec& spec, TimePoint now);
  void close_forward(const ForwardSpec& spec, std::uint16_t host_port);

  FlowTable& flows() noexcept { return flows_; }
  const FlowTable& flows() const noexcept { return flows_; }
  const SlirpSession& session() const noexcept { return *session_; }
  TimePoint last_used() const noexcept { return last_used_; }
  bool idle() const noexcept { return session_->sockets() == 0; }

 private:
  Guest(const NatConfig& config, const MacAddress& mac, GuestListener& listener, NatStats& stats)
      : config_(config), mac_(mac), listener_(listener), stats_(stats), flows_(config.limits) {}

  // -- SlirpListener
  void frame(std::span<const std::byte> bytes) override;
  void opened(int fd) override;
  void closing(int fd) override;
  void waits_for(int fd, std::uint32_t events) override { listener_.waits_for(fd, events); }
  bool may_read(int fd) override;

  void announce(const IpAddress& address, TimePoint now);
  void answer(const Packet& packet, std::span<const std::byte> bytes);
  bool is_fit(const Packet& packet) const;
  void deliver(std::span<const std::byte> bytes, Packet& packet);
  std::uint16_t largest_mss(bool ipv6) const noexcept;

  const NatConfig& config_;
  const MacAddress mac_;
  GuestListener& listener_;
  NatStats& stats_;
  FlowTable flows_;
  std::shared_ptr<FramePool> pool_ = FramePool::create(kPoolCap);
  std::deque<IpAddress> announced_;  // what libslirp's address tables hold
  std::vector<std::vector<std::byte>> answers_;
  std::uint32_t identification_ = 0;
  bool touched_ = false;  // since the last step
  std::optional<ForwardSpec> opening_;
  int opened_forward_ = -1;
  TimePoint last_used_;
  TimePoint udp_expired_{};                // when sockets had to make way
  std::unique_ptr<SlirpSession> session_;  // last: its end calls back
};

}  // namespace capsa::net::nat
