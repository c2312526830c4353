#include <actors/protocol/spawn.hpp>
#include <actors/vsock/vsock_device.hpp>

namespace capsa::vsock_units {

using protocol::ConnectionId;
using vsock::ConnectionKey;

namespace {

// What an endpoint may have on its way to one connection: enough to keep the guest's own receive
// buffer (256 KiB by default) busy while a credit message is under way.
constexpr std::uint64_t kSendCredit = 256 * 1024;
// A guest whose backlog is full does not answer; Linux's own connect(2) gives up after 2 s.
constexpr auto kConnectDeadline = std::chrono::seconds(5);
// More connections than a guest can have open wait in an endpoint's mailbox only where it opens and
// closes them faster than the endpoint hears of it: the rest is refused.
constexpr std::size_t kMaxUnheard = 1024;

}  // namespace

VsockState::VsockState(Self self, loop::EpollLoop& loop, std::uint64_t guest_cid,
                       const protocol::LinkDevice& link)
    : self_(self),
      loop_(loop),
      device_(std::make_shared<vsock::VsockDevice>(guest_cid, *this)),
      link_(link(loop, *device_, [self](const result<void>& end) {
        // The machine closing its end is how every machine ends; the VM hears of that itself.
        if (!end.ok() && end.error().code() != ErrorCode::IoError)
          protocol::end_from_loop(self, protocol::to_caf(end.error()));
      })) {
  self_->set_down_handler([this](const caf::down_msg& down) { on_endpoint_down(down.source); });
}

VsockState::~VsockState() = default;

void VsockState::on_exit() {
  for (auto& [key, connection] : connections_)
    end_connecting(connection, {ErrorCode::VmEnded, "the VM has ended"});
  connections_.clear();
  keys_.clear();
  bound_.clear();
  // Now, while there is a Host for the device to tell of its end; an actor's exit is never inside a
  // callback of the server.
  link_->close([] {});
  link_.reset();
}

caf::result<ConnectionId, std::uint64_t> VsockState::connect(std::uint32_t port,
                                                             protocol::VsockEndpoint endpoint) {
  const auto key = device_->connect(port);
  if (!key.ok()) return protocol::to_caf(key.error());
  Connection& connection = add(*key, std::move(endpoint));
  connection.connecting = self_->make_response_promise();
  connection.timer = loop_.call_after(kConnectDeadline, [this, k = *key] {
    const auto it = connections_.find(k);
    if (it == connections_.end()) return;
    it->second.timer = 0;
    end_connecting(it->second, {ErrorCode::Timeout, "the guest did not answer the connection"});
    device_->reset(k);
    forget(it);
  });
  return connection.connecting;
}

VsockState::Connection& VsockState::add(ConnectionKey key, protocol::VsockEndpoint endpoint) {
  Connection& connection = connections_[key];
  connection.id = protocol::connection_id(next_id_++, key.guest_port);
  connection.endpoint = std::move(endpoint);
  keys_.emplace(connection.id, key);
  return connection;
}

VsockState::Connections::iterator VsockState::find(ConnectionId id) {
  const auto key = keys_.find(id);
  return key == keys_.end() ? connections_.end() : connections_.find(key->second);
}

void VsockState::forget(Connections::iterator it) {
  keys_.erase(it->second.id);
  connections_.erase(it);
}

void VsockState::end_connecting(Connection& connection, const capsa::error& why) {
  if (connection.timer != 0) loop_.cancel(connection.timer);
  connection.timer = 0;
  if (connection.connecting.pending()) connection.connecting.deliver(protocol::to_caf(why));
}

void VsockState::watch(const protocol::VsockEndpoint& endpoint) {
  if (monitored_.insert(endpoint.address()).second) self_->monitor(endpoint);
}

void VsockState::on_endpoint_down(const caf::actor_addr& who) {
  monitored_.erase(who);
  std::erase_if(bound_, [&](const auto& entry) { return entry.second.endpoint.address() == who; });
  for (auto it = connections_.begin(); it != connections_.end();) {
    const auto at = it++;
    if (at->second.endpoint.address() != who) continue;
    if (at->second.timer != 0) loop_.cancel(at->second.timer);
    device_->reset(at->first);
    forget(at);
  }
}

void VsockState::pump(Connections::iterator it) {
  auto& [key, connection] = *it;
  std::uint64_t credit = 0;
  while (!connection.queue.empty()) {
    const auto front = std::as_bytes(std::span(connection.queue.front()));
    const auto taken = device_->send(key, front);
    credit += taken;
    connection.queue.drop(taken);
    if (taken < front.size()) break;
  }
  if (credit > 0) self_->send(connection.endpoint, protocol::credit_atom_v, connection.id, credit);
  if (!connection.queue.empty() || (!connection.send_ends && !connection.receive_ends)) return;
  const bool over = device_->shutdown(key, connection.receive_ends, connection.send_ends);
  if (!over) return;
  tell_end(connection, "finished");
  forget(it);
}

/// What the guest sent in this turn, as one message.
void VsockState::hand_on(Connection& connection) {
  if (connection.inbox.empty()) return;
  self_->send(connection.endpoint, protocol::data_atom_v, connection.id,
              std::exchange(connection.inbox, {}));
}

void VsockState::tell_end(Connection& connection, std::string why) {
  hand_on(connection);
  self_->send(connection.endpoint, protocol::closed_atom_v, connection.id, std::move(why));
}

bool VsockState::accept(ConnectionKey key) {
  const auto bound = bound_.find(key.host_port);
  if (bound == bound_.end() || *bound->second.unheard >= kMaxUnheard) return false;
  const auto& endpoint = bound->second.endpoint;
  const Connection& connection = add(key, endpoint);
  // A request only to learn when it has been heard.
  const auto heard = [unheard = bound->second.unheard] { --*unheard; };
  ++*bound->second.unheard;
  self_->request(endpoint, caf::infinite, actors::accept_atom_v, connection.id, kSendCredit)
      .then(heard, [heard](const caf::error&) { heard(); });
  return true;
}

void VsockState::connected(ConnectionKey key) {
  const auto it = connections_.find(key);
  if (it == connections_.end()) return;
  if (it->second.timer != 0) loop_.cancel(std::exchange(it->second.timer, 0));
  it->second.connecting.deliver(it->second.id, kSendCredit);
}

void VsockState::data(ConnectionKey key, std::span<const std::span<const std::byte>> pieces,
                      std::size_t total) {
  const auto it = connections_.find(key);
  if (it == connections_.end()) return;
  Connection& connection = it->second;
  // Large packets each make a message, and are copied once; small ones go together.
  if (connection.inbox.size() + total > Pieces::kPiece) hand_on(connection);
  if (connection.inbox.empty()) {
    heard_.push_back(key);
    connection.inbox.reserve(total);
  }
  for (const auto piece : pieces)
    connection.inbox.append(reinterpret_cast<const char*>(piece.data()), piece.size());
}

void VsockState::writable(ConnectionKey key, std::size_t) {
  const auto it = connections_.find(key);
  if (it != connections_.end()) pump(it);
}

void VsockState::shutdown(ConnectionKey key, bool no_more_receive, bool no_more_send) {
  const auto it = connections_.find(key);
  if (it == connections_.end()) return;
  hand_on(it->second);
  self_->send(it->second.endpoint, protocol::half_atom_v, it->second.id, no_more_receive,
              no_more_send);
  if (!no_more_receive) return;
  // Nobody will ever take what is queued, and an end that waits behind it would never be told.
  it->second.guest_deaf = true;
  it->second.queue.clear();
  pump(it);
}

void VsockState::closed(ConnectionKey key, vsock::CloseReason reason) {
  const auto it = connections_.find(key);
  if (it == connections_.end()) return;
  if (it->second.connecting.pending())
    end_connecting(it->second,
                   {ErrorCode::ConnectionClosed, "nothing in the guest listens on vsock port " +
                                                     std::to_string(key.guest_port)});
  else
    tell_end(it->second, std::string(to_string(reason)));
  forget(it);
}

void VsockState::processed(bool more) {
  for (const auto key : heard_) {
    const auto it = connections_.find(key);
    if (it != connections_.end()) hand_on(it->second);
  }
  heard_.clear();
  if (!more) return;
  // Behind everything else that this loop has to do now.
  loop_.post([weak = std::weak_ptr(device_)] {
    if (const auto device = weak.lock()) device->process_more();
  });
}

protocol::VsockActor::behavior_type VsockState::make_behavior() {
  using namespace protocol;
  return {
      [this](bind_atom, std::uint32_t port, VsockEndpoint& endpoint) {
        watch(endpoint);
        bound_.insert_or_assign(port, Bound{std::move(endpoint)});
      },
      [this](connect_atom, std::uint32_t port, VsockEndpoint& endpoint) {
        watch(endpoint);
        return connect(port, std::move(endpoint));
      },
      [this](data_atom, ConnectionId id, std::string& bytes) {
        const auto it = find(id);
        if (it == connections_.end() || it->second.guest_deaf) return;
        const bool idle = it->second.queue.empty();
        it->second.queue.append(std::move(bytes));
        if (idle) pump(it);
      },
      [this](taken_atom, ConnectionId id, std::uint64_t bytes) {
        const auto it = find(id);
        if (it != connections_.end()) device_->consumed(it->first, bytes);
      },
      [this](half_atom, ConnectionId id, bool no_more_receive, bool no_more_send) {
        const auto it = find(id);
        if (it == connections_.end()) return;
        it->second.receive_ends |= no_more_receive;
        it->second.send_ends |= no_more_send;
        pump(it);
      },
      [this](reset_atom, ConnectionId id) {
        const auto it = find(id);
        if (it == connections_.end()) return;
        device_->reset(it->first);
        forget(it);
      },
  };
}

}  // namespace capsa::vsock_units
