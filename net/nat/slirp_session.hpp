#pragma once

#include <capsa/result.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <net/nat/config.hpp>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

struct Slirp;

namespace capsa::net::nat {

using TimePoint = std::chrono::steady_clock::time_point;

/// A descriptor and what is waited for, or what is ready: epoll(7) event bits.
struct PollEntry {
  int fd = -1;
  std::uint32_t events = 0;
  friend bool operator==(const PollEntry&, const PollEntry&) = default;
};

/// What a SlirpSession tells, from inside calls into it. None of these may call it back.
class SlirpListener {
 public:
  virtual ~SlirpListener() = default;
  /// A frame to the guest, valid during the call. Nobody minds where it is dropped: TCP sends it
  /// again after half a second, the rest is lost.
  virtual void frame(std::span<const std::byte> bytes) = 0;
  virtual void opened(int fd) = 0;
  /// It is closed when this has returned, and its number may be used anew in the same call.
  virtual void closing(int fd) = 0;
  /// Which events are waited for, level-triggered, from now on; 0 for none. The first is told after
  /// opened().
  virtual void waits_for(int fd, std::uint32_t events) = 0;
  /// False where `fd` is not to be read at the moment: no more frames can be kept, or it would
  /// accept a connection too many.
  virtual bool may_read(int fd) = 0;
};

/// One libslirp stack and its sockets. libslirp has globals: all sessions of a process live on one
/// thread, and are told the same clock. What is put in must have passed the Sanitizer: libslirp
/// does not check what it should.
class SlirpSession {
 public:
  /// BackendFailed where libslirp refuses the configuration, Internal where another thread has
  /// sessions. `listener` outlives this.
  static result<std::unique_ptr<SlirpSession>> create(const NatConfig& config,
                                                      SlirpListener& listener, TimePoint now);
  SlirpSession(const SlirpSession&) = delete;
  SlirpSession& operator=(const SlirpSession&) = delete;
  ~SlirpSession();

  /// A frame of the guest, of at most kMaxFrame bytes. A dispatch() follows before the next wait.
  void input(std::span<const std::byte> frame, TimePoint now);
  /// Remembers that events have come; dispatch() does what is to be done. Descriptors that are gone
  /// are ignored.
  void ready(std::span<const PollEntry> entries);
  /// Handles what is ready and due, and tells the listener what is waited for next.
  void dispatch(TimePoint now);
  /// When dispatch() is to be called although nothing is ready; nothing while it is idle.
  std::optional<TimePoint> next_deadline() const noexcept { return deadline_; }
  /// All that is waited for, for those that use poll(2).
  std::vector<PollEntry> wanted() const;

  /// Ends a ping that is not answered; its descriptor is closed by the next dispatch() at the
  /// latest, and libslirp's error about it is not sent.
  void give_up(int fd);

  /// Closes the UDP sockets that nothing has passed for so long, which is below libslirp's own four
  /// minutes; those of port forwards stay.
  void expire_udp(std::chrono::milliseconds idle, TimePoint now);

  /// Tells the listener of sockets that were opened through handle(), and what is waited for.
  void refresh() { fill(); }

  std::size_t sockets() const noexcept { return sockets_.size(); }
  /// For port forwards.
  Slirp* handle() noexcept { return slirp_; }

 private:
  struct Socket {
    std::uint32_t wanted = 0;  // of libslirp, at the last fill
    std::uint32_t told = 0;    // to the listener
    std::uint32_t ready = 0;
    std::uint64_t fill = 0;  // the one that named it last
    bool given_up = false;
    bool held_back = false;  // it was ready, but there was no room for frames
  };
  struct Timer {
    int id = 0;
    void* of = nullptr;
    std::optional<std::int64_t> at;  // milliseconds of our clock
  };
  struct Callbacks;

  explicit SlirpSession(SlirpListener& listener) : listener_(listener) {}
  void set_now(TimePoint now) noexcept;
  void run_timers();
  void fill();
  int events_of(int index);
  std::optional<TimePoint> earliest(std::uint32_t timeout_ms) const;

  SlirpListener& listener_;
  Slirp* slirp_ = nullptr;
  std::int64_t now_ns_ = 0;
  std::int64_t polled_ms_ = -1;  // when libslirp last looked at the clock
  std::uint64_t fill_ = 0;
  bool holding_back_ = false;
  bool silent_ = false;
  std::optional<TimePoint> deadline_;
  std::unordered_map<int, Socket> sockets_;
  std::vector<int> polled_;  // by libslirp's index; of the last fill
  std::list<Timer> timers_;
};

}  // namespace capsa::net::nat
