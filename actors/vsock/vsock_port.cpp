#include <actors/protocol/spawn.hpp>
#include <actors/values/longest_wait.hpp>
#include <actors/vsock/vsock_port.hpp>

#include <fcntl.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <algorithm>

namespace capsa::vsock_units {

using protocol::ConnectionId;

namespace {

constexpr int kClientsPerTurn = 64;

bool hung_up(int fd) {
  pollfd entry{fd, 0, 0};
  return ::poll(&entry, 1, 0) == 1 && (entry.revents & (POLLHUP | POLLERR)) != 0;
}

caf::error ended() {
  return protocol::to_caf({ErrorCode::VmEnded, "the VM has ended"});
}

/// Our end (non-blocking) and the user's (blocking).
result<std::pair<UniqueFd, UniqueFd>> make_pair_of_sockets() {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) != 0)
    return error_from_errno(errno, "make a socket pair");
  std::pair<UniqueFd, UniqueFd> out{UniqueFd(fds[0]), UniqueFd(fds[1])};
  const int flags = ::fcntl(out.first.get(), F_GETFL);
  if (flags < 0 || ::fcntl(out.first.get(), F_SETFL, flags | O_NONBLOCK) != 0)
    return error_from_errno(errno, "make a socket pair");
  return out;
}

}  // namespace

PortState::PortState(Self self, loop::EpollLoop& loop, protocol::VsockActor vsock,
                     VsockPortConfig config, UniqueFd listener)
    : self_(self),
      loop_(loop),
      vsock_(std::move(vsock)),
      config_(std::move(config)),
      listener_(std::move(listener)) {
  if (!config_.connects)
    self_->send(vsock_, protocol::bind_atom_v, config_.port, protocol::VsockEndpoint(self_));
  loop_.watch(listener_.get(), EPOLLIN, [this](std::uint32_t) { on_client(); });
}

PortState::~PortState() = default;

void PortState::on_exit() {
  if (pause_ != 0) loop_.cancel(pause_);
  loop_.unwatch(listener_.get());
  listener_.reset();
  if (config_.auto_cleanup) ::unlink(config_.socket_path.c_str());
  for (auto& [id, stream] : streams_) {
    // What the guest sent before its end reaches a host that reads on.
    write_host(*stream);
    if (stream->watched) loop_.unwatch(stream->fd.get());
  }
  streams_.clear();
  for (auto& taker : takers_) {
    if (taker.timer != 0) loop_.cancel(taker.timer);
    if (taker.promise.pending()) taker.promise.deliver(ended());
  }
  takers_.clear();
}

void PortState::on_client() {
  for (int i = 0; i < kClientsPerTurn; ++i) {
    UniqueFd client(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!client) {
      // Out of descriptors: without a pause the ready listener would keep this loop spinning.
      if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
        loop_.rearm(listener_.get(), 0);
        pause_ = loop_.call_after(std::chrono::milliseconds(100), [this] {
          pause_ = 0;
          loop_.rearm(listener_.get(), EPOLLIN);
        });
      }
      return;
    }
    if (config_.connects)
      dial(std::move(client), {}, {});
    else
      take({std::move(client), {}, {}});
  }
}

void PortState::dial(UniqueFd ours, UniqueFd theirs, caf::response_promise promise) {
  struct Dialing {
    UniqueFd ours, theirs;
    caf::response_promise promise;
  };
  auto dialing =
      std::make_shared<Dialing>(Dialing{std::move(ours), std::move(theirs), std::move(promise)});
  self_
      ->request(vsock_, caf::infinite, actors::connect_atom_v, config_.port,
                protocol::VsockEndpoint(self_))
      .then(
          [this, dialing](ConnectionId id, std::uint64_t credit) {
            if (dialing->theirs)
              dialing->promise.deliver(actors::FdBox(std::move(dialing->theirs)));
            begin(std::move(dialing->ours), id, credit);
          },
          [dialing](caf::error& why) {
            // A client of the unix socket sees its connection close.
            if (dialing->theirs) dialing->promise.deliver(std::move(why));
          });
}

void PortState::take(Taker taker) {
  takers_.push_back(std::move(taker));
  pair();
}

/// Who waits no longer must not swallow a connection either.
void PortState::give_up(Loop::TimerId timer) {
  const auto taker = std::find_if(takers_.begin(), takers_.end(),
                                  [timer](const Taker& one) { return one.timer == timer; });
  if (taker == takers_.end()) return;
  taker->promise.deliver(
      protocol::to_caf({ErrorCode::Timeout, "the guest did not connect to vsock port " +
                                                std::to_string(config_.port) + " in time"}));
  takers_.erase(taker);
}

void PortState::pair() {
  while (!takers_.empty() && !untaken_.empty()) {
    auto taker = std::move(takers_.front());
    takers_.pop_front();
    // A client that went away while it waited must not swallow a connection.
    if (!taker.promise.pending() && hung_up(taker.fd.get())) continue;
    auto untaken = untaken_.take();
    if (taker.timer != 0) loop_.cancel(taker.timer);
    if (taker.promise.pending()) taker.promise.deliver(actors::FdBox(std::move(taker.theirs)));
    begin(std::move(taker.fd), untaken.id, untaken.credit);
    const auto stream = find(untaken.id);
    stream->queue = std::move(untaken.queue);
    stream->guest_done = untaken.guest_done;
    stream->guest_deaf = untaken.guest_deaf;
    stream->closing = untaken.closed;
    write_host(*stream);
    update(stream);
  }
}

void PortState::begin(UniqueFd ours, ConnectionId id, std::uint64_t credit) {
  auto stream = std::make_shared<Stream>();
  stream->fd = std::move(ours);
  stream->id = id;
  stream->credit = credit;
  streams_.insert_or_assign(id, stream);
  update(stream);
}

PortState::StreamPtr PortState::find(ConnectionId id) const {
  const auto it = streams_.find(id);
  return it == streams_.end() ? nullptr : it->second;
}

protocol::VsockPort::behavior_type PortState::make_behavior() {
  using namespace protocol;
  return {
      [this](connect_atom) -> caf::result<FdBox> {
        if (!config_.connects)
          return to_caf(
              {ErrorCode::InvalidConfig,
               "vsock port " + std::to_string(config_.port) + " listens: the guest connects to it",
               "use accept(), or configure it with vsock_connect"});
        auto sockets = make_pair_of_sockets();
        if (!sockets.ok()) return to_caf(sockets.error());
        auto promise = self_->make_response_promise();
        dial(std::move(sockets->first), std::move(sockets->second), promise);
        return promise;
      },
      [this](accept_atom, caf::timespan timeout) -> caf::result<FdBox> {
        if (config_.connects)
          return to_caf(
              {ErrorCode::InvalidConfig,
               "vsock port " + std::to_string(config_.port) + " connects: the guest listens on it",
               "use connect(), or configure it with vsock_listen"});
        auto sockets = make_pair_of_sockets();
        if (!sockets.ok()) return to_caf(sockets.error());
        auto promise = self_->make_response_promise();
        Taker taker{std::move(sockets->first), std::move(sockets->second), promise};
        if (timeout <= kLongestWait) {
          auto timer = std::make_shared<Loop::TimerId>();
          *timer = loop_.call_after(std::max(timeout, caf::timespan(0)),
                                    [this, timer] { give_up(*timer); });
          taker.timer = *timer;
        }
        take(std::move(taker));
        return promise;
      },
      [this](accept_atom, ConnectionId id, std::uint64_t credit) {
        if (untaken_.add(id, credit))
          pair();
        else
          self_->send(vsock_, reset_atom_v, id);
      },
      [this](data_atom, ConnectionId id, std::string& bytes) {
        const std::uint64_t size = bytes.size();
        if (const auto stream = find(id)) {
          const bool idle = stream->queue.empty();
          stream->queue.append(std::move(bytes));
          if (idle) write_host(*stream);
          update(stream);
        } else if (untaken_.find(id) != nullptr) {
          if (!untaken_.append(id, std::move(bytes))) self_->send(vsock_, reset_atom_v, id);
        } else {
          // The host has closed and the guest does not know yet: it must not run out of credit
          // before it reads that.
          self_->send(vsock_, taken_atom_v, id, size);
        }
      },
      [this](credit_atom, ConnectionId id, std::uint64_t bytes) {
        if (const auto stream = find(id)) {
          stream->credit += bytes;
          update(stream);
        } else if (auto* one = untaken_.find(id)) {
          one->credit += bytes;
        }
      },
      [this](half_atom, ConnectionId id, bool no_more_receive, bool no_more_send) {
        if (const auto stream = find(id)) {
          stream->guest_deaf |= no_more_receive;
          stream->guest_done |= no_more_send;
          update(stream);
        } else if (auto* one = untaken_.find(id)) {
          one->guest_deaf |= no_more_receive;
          one->guest_done |= no_more_send;
        }
      },
      [this](closed_atom, ConnectionId id, const std::string&) {
        if (const auto stream = find(id)) {
          stream->closing = true;
          update(stream);
        } else if (auto* one = untaken_.find(id)) {
          one->closed = true;  // its data is still there to be taken
        }
      },
  };
}

}  // namespace capsa::vsock_units
