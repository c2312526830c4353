#include <arpa/inet.h>
#include <fcntl.h>
#include <slirp/libslirp.h>
#include <sys/epoll.h>

#include <algorithm>
#include <cstring>
#include <mutex>
#include <net/frame_meta.hpp>
#include <net/nat/slirp_session.hpp>
#include <thread>

namespace capsa::net::nat {
namespace {

using std::chrono::milliseconds;
using std::chrono::nanoseconds;

/// Of libslirp itself, whatever the guests' MTU is. Its buffers are made after it, and 4.7 trusts
/// that the reply to a ping fits. Where the host connects later than at once, it is also where its
/// segment size comes from: it has forgotten the guest's SYN by then.
constexpr std::size_t kMtu = 65520;
/// While there is no room for frames: the time in which a guest's queue usually drains.
constexpr milliseconds kHoldBack{5};

// SO_EXPIRE of libslirp.
constexpr milliseconds kUdpLife{240'000};

struct Owner {
  std::mutex mutex;
  std::thread::id thread;
  std::size_t sessions = 0;
};
Owner& owner() {
  // Never destroyed: a static runtime's NAT may outlive every other static object.
  static Owner& instance = *new Owner;
  return instance;
}

/// libslirp keeps milliseconds in 32 bits: they begin with the first session of the process.
TimePoint epoch(TimePoint now) {
  static const TimePoint start = now;
  return start;
}

in_addr to_in_addr(const IpAddress& address) {
  in_addr out{};
  std::memcpy(&out, address.bytes().data(), sizeof out);
  return out;
}

in6_addr to_in6_addr(const IpAddress& address) {
  in6_addr out{};
  std::memcpy(&out, address.bytes().data(), sizeof out);
  return out;
}

std::uint32_t to_epoll(int events) {
  // Urgent data is not asked for: it comes inline with the rest, and the guest is not told.
  std::uint32_t out = 0;
  if ((events & SLIRP_POLL_IN) != 0) out |= EPOLLIN;
  if ((events & SLIRP_POLL_OUT) != 0) out |= EPOLLOUT;
  return out;
}

}  // namespace

struct SlirpSession::Callbacks {
  static SlirpSession& self(void* opaque) { return *static_cast<SlirpSession*>(opaque); }

  static ssize_t send_packet(const void* bytes, std::size_t length, void* opaque) {
    SlirpSession& session = self(opaque);
    if (!session.silent_) session.listener_.frame({static_cast<const std::byte*>(bytes), length});
    return static_cast<ssize_t>(length);
  }
  static void guest_error(const char* /*message*/, void* /*opaque*/) {}
  static std::int64_t clock(void* opaque) { return self(opaque).now_ns_; }
  static void* timer_new(SlirpTimerId id, void* of, void* opaque) {
    return &self(opaque).timers_.emplace_back(Timer{id, of, std::nullopt});
  }
  static void timer_free(void* timer, void* opaque) {
    self(opaque).timers_.remove_if([timer](const Timer& one) { return &one == timer; });
  }
  static void timer_mod(void* timer, std::int64_t at_ms, void* /*opaque*/) {
    static_cast<Timer*>(timer)->at = at_ms;
  }
  static void opened(int fd, void* opaque) {
    SlirpSession& session = self(opaque);
    if (!session.sockets_.try_emplace(fd).second) return;
    session.listener_.opened(fd);
  }
  static void closing(int fd, void* opaque) {
    SlirpSession& session = self(opaque);
    if (session.sockets_.erase(fd) == 0) return;
    session.listener_.closing(fd);
  }
  static void notify(void* /*opaque*/) {}

  static int add_poll(int fd, int events, void* opaque) {
    SlirpSession& session = self(opaque);
    // 4.7 does not tell of sockets that listen when it opens them.
    const auto [at, unknown] = session.sockets_.try_emplace(fd);
    if (unknown) session.listener_.opened(fd);
    Socket& socket = at->second;
    socket.wanted = to_epoll(events);
    socket.fill = session.fill_;
    session.polled_.push_back(fd);
    return static_cast<int>(session.polled_.size() - 1);
  }
  static int events_of(int index, void* opaque) { return self(opaque).events_of(index); }

  // Kept by pointer: one for all sessions.
  static const SlirpCb& table() {
    static const SlirpCb instance = [] {
      SlirpCb out{};
      out.send_packet = send_packet;
      out.guest_error = guest_error;
      out.clock_get_ns = clock;
      out.timer_new_opaque = timer_new;
      out.timer_free = timer_free;
      out.timer_mod = timer_mod;
      out.register_poll_fd = opened;
      out.unregister_poll_fd = closing;
      out.notify = notify;
      return out;
    }();
    return instance;
  }
};

result<std::unique_ptr<SlirpSession>> SlirpSession::create(const NatConfig& config,
                                                           SlirpListener& listener, TimePoint now) {
  Owner& everybody = owner();
  const std::scoped_lock lock(everybody.mutex);
  if (everybody.sessions > 0 && everybody.thread != std::this_thread::get_id())
    return error(ErrorCode::Internal, "libslirp is used by two threads of one process");

  std::unique_ptr<SlirpSession> session(new SlirpSession(listener));
  session->set_now(now);
  SlirpConfig slirp{};
  slirp.version = 4;  // of 4.7; one that the library does not know is refused
  slirp.in_enabled = true;
  slirp.vnetwork = to_in_addr(config.subnet.address());
  slirp.vnetmask = to_in_addr(config.subnet.mask());
  slirp.vhost = to_in_addr(config.gateway);
  // Not served, but compared with: no address of its own.
  slirp.vnameserver = slirp.vhost;
  if (config.prefix6 && config.gateway6) {
    slirp.in6_enabled = true;
    slirp.vprefix_addr6 = to_in6_addr(config.prefix6->address());
    slirp.vprefix_len = static_cast<std::uint8_t>(config.prefix6->prefix());
    slirp.vhost6 = to_in6_addr(*config.gateway6);
    slirp.vnameserver6 = slirp.vhost6;
  }
  slirp.if_mtu = slirp.if_mru = config.large_segments ? kMtu : config.guest_mtu;
  slirp.disable_dns = true;
  slirp.disable_dhcp = true;
  // Not disable_host_loopback: it leaves 127.0.0.1 open, and would keep guests from answering what
  // the host's own loopback sends to a forwarded port. The Sanitizer closes both.
  slirp.disable_host_loopback = false;
  slirp.enable_emu = false;
  session->slirp_ = slirp_new(&slirp, &Callbacks::table(), session.get());
  if (session->slirp_ == nullptr)
    return error(ErrorCode::BackendFailed, "libslirp refused its configuration",
                 "libslirp 4.7 or later is needed");
  everybody.thread = std::this_thread::get_id();
  ++everybody.sessions;
  return session;
}

SlirpSession::~SlirpSession() {
  if (slirp_ == nullptr) return;
  silent_ = true;
  slirp_cleanup(slirp_);
  // 4.7 does not say all that it closes.
  for (const auto& [fd, socket] : sockets_)
    listener_.closing(fd);
  Owner& everybody = owner();
  const std::scoped_lock lock(everybody.mutex);
  --everybody.sessions;
}

void SlirpSession::set_now(TimePoint now) noexcept {
  now_ns_ = nanoseconds(now - epoch(now)).count();
}

void SlirpSession::input(std::span<const std::byte> frame, TimePoint now) {
  set_now(now);
  // libslirp looks at the clock only when it polls. New sockets expire after what it last saw: an
  // old time would end them at once.
  if (now_ns_ / 1'000'000 != polled_ms_) {
    polled_ms_ = now_ns_ / 1'000'000;
    slirp_pollfds_poll(slirp_, 1, Callbacks::events_of, this);
  }
  slirp_input(slirp_, reinterpret_cast<const std::uint8_t*>(frame.data()),
              static_cast<int>(std::min(frame.size(), kMaxFrame)));
}

void SlirpSession::ready(std::span<const PollEntry> entries) {
  for (const PollEntry& entry : entries) {
    const auto at = sockets_.find(entry.fd);
    if (at != sockets_.end()) at->second.ready |= entry.events;
  }
}

void SlirpSession::give_up(int fd) {
  const auto at = sockets_.find(fd);
  // Not yet known to a fill: there is no index by which to name it.
  if (at == sockets_.end() || at->second.fill != fill_) return;
  // libslirp reads it although nothing is there.
  ::fcntl(fd, F_SETFL, ::fcntl(fd, F_GETFL) | O_NONBLOCK);
  at->second.given_up = true;
  silent_ = true;
  slirp_pollfds_poll(slirp_, 0, Callbacks::events_of, this);
  silent_ = false;
}

/// libslirp closes what is idle for kUdpLife, by its clock: for a moment that is put forward. TCP
/// counts ticks, not time, and has one more.
void SlirpSession::expire_udp(std::chrono::milliseconds idle, TimePoint now) {
  set_now(now + (kUdpLife - std::min(idle, kUdpLife)));
  slirp_pollfds_poll(slirp_, 1, Callbacks::events_of, this);
  fill();
  set_now(now);
  polled_ms_ = now_ns_ / 1'000'000;
  slirp_pollfds_poll(slirp_, 1, Callbacks::events_of, this);
  fill();
}

/// What libslirp is told of a socket. It must not be told more than it has asked for: it reads
/// where it hears of an error or a hang-up, and asserts that its buffer has room.
int SlirpSession::events_of(int index) {
  if (index < 0 || static_cast<std::size_t>(index) >= polled_.size()) return 0;
  const auto at = sockets_.find(polled_[static_cast<std::size_t>(index)]);
  if (at == sockets_.end() || at->second.fill != fill_) return 0;
  Socket& socket = at->second;
  if (silent_) return socket.given_up ? SLIRP_POLL_IN : 0;
  int events = 0;
  const bool broken = (socket.ready & (EPOLLERR | EPOLLHUP)) != 0;
  if ((socket.wanted & EPOLLIN) != 0 && (broken || (socket.ready & EPOLLIN) != 0)) {
    if (listener_.may_read(at->first))
      events |= SLIRP_POLL_IN;
    else
      socket.held_back = true;
  }
  if ((socket.wanted & EPOLLOUT) != 0 && (broken || (socket.ready & EPOLLOUT) != 0))
    events |= SLIRP_POLL_OUT;
  // Once only: the event comes again where it was not handled.
  socket.ready = 0;
  return events;
}

void SlirpSession::dispatch(TimePoint now) {
  set_now(now);
  polled_ms_ = now_ns_ / 1'000'000;
  run_timers();
  slirp_pollfds_poll(slirp_, 0, Callbacks::events_of, this);
  fill();
}

void SlirpSession::run_timers() {
  const std::int64_t now_ms = now_ns_ / 1'000'000;
  for (auto at = timers_.begin(); at != timers_.end();) {
    Timer& timer = *at++;
    if (!timer.at || *timer.at > now_ms) continue;
    timer.at.reset();
    slirp_handle_timer(slirp_, static_cast<SlirpTimerId>(timer.id), timer.of);
  }
}

void SlirpSession::fill() {
  ++fill_;
  polled_.clear();
  std::uint32_t timeout_ms = UINT32_MAX;
  slirp_pollfds_fill(slirp_, &timeout_ms, Callbacks::add_poll, this);
  holding_back_ = false;
  for (auto& [fd, socket] : sockets_) {
    if (socket.held_back) socket.held_back = !listener_.may_read(fd);
    holding_back_ = holding_back_ || socket.held_back;
    std::uint32_t events = socket.fill == fill_ ? socket.wanted : 0;
    // Its event would come again and again, and there is nowhere to put it.
    if (socket.held_back) events &= ~static_cast<std::uint32_t>(EPOLLIN);
    if (events == socket.told) continue;
    socket.told = events;
    listener_.waits_for(fd, events);
  }
  deadline_ = earliest(timeout_ms);
}

std::optional<TimePoint> SlirpSession::earliest(std::uint32_t timeout_ms) const {
  const TimePoint start = epoch({});
  const TimePoint now = start + nanoseconds(now_ns_);
  std::optional<TimePoint> earliest;
  const auto consider = [&earliest](TimePoint at) {
    if (!earliest || at < *earliest) earliest = at;
  };
  // Without sockets there is nothing that libslirp's second would do.
  if (!sockets_.empty()) consider(now + milliseconds(timeout_ms));
  if (holding_back_) consider(now + kHoldBack);
  for (const Timer& timer : timers_)
    if (timer.at) consider(start + milliseconds(*timer.at));
  return earliest;
}

std::vector<PollEntry> SlirpSession::wanted() const {
  std::vector<PollEntry> out;
  for (const auto& [fd, socket] : sockets_)
    if (socket.told != 0) out.push_back({fd, socket.told});
  return out;
}

}  // namespace capsa::net::nat
