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

ConnectionId id_of(ConnectionKey key) {
  return protocol::connection_id(key.host_port, key.guest_port);
}

ConnectionKey key_of(ConnectionId id) {
  return {static_cast<std::uint32_t>(id >> 32), static_cast<std::uint32_t>(id)};
}

}  // namespace

VsockState::VsockState(Self self, loop::EpollLoop& loop, std::uint64_t guest_cid, UniqueFd socket)
    : self_(self),
      loop_(loop),
      device_(std::make_unique<vsock::VsockDevice>(guest_cid, *this)),
      server_(std::make_unique<vhost_user::Server>(
          loop, std::move(socket), *device_, [self](const result<void>& end) {
            // The machine closing its end is how every
            // machine ends; the VM hears of that itself.
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
  bound_.clear();
  // Now, while there is a Host for the device to tell of its end; an actor's exit is never inside a
  // callback of the server.
  server_->close([] {});
  server_.reset();
}

caf::result<ConnectionId, std::uint64_t> VsockState::connect(std::uint32_t port,
                                                             protocol::VsockEndpoint endpoint) {
  const auto key = device_->connect(port);
  if (!key.ok()) return protocol::to_caf(key.error());
  Connection connection;
  connection.endpoint = std::move(endpoint);
  connection.connecting = self_->make_response_promise();
  connection.timer = loop_.call_after(kConnectDeadline, [this, k = *key] {
    const auto it = connections_.find(k);
    if (it == connections_.end()) return;
    it->second.timer = 0;
    end_connecting(it->second, {ErrorCode::Timeout, "the guest did not answer the connection"});
    device_->reset(k);
    connections_.erase(it);
  });
  const auto it = connections_.insert_or_assign(*key, std::move(connection)).first;
  return it->second.connecting;
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
  std::erase_if(bound_, [&](const auto& entry) { return entry.second.address() == who; });
  std::erase_if(connections_, [&](auto& entry) {
    if (entry.second.endpoint.address() != who) return false;
    if (entry.second.timer != 0) loop_.cancel(entry.second.timer);
    device_->reset(entry.first);
    return true;
  });
}

void VsockState::pump(Connections::iterator it) {
  auto& [key, connection] = *it;
  std::uint64_t credit = 0;
  while (!connection.queue.empty()) {
    const auto& front = connection.queue.front();
    const auto rest = std::as_bytes(std::span(front)).subspan(connection.taken);
    const auto taken = device_->send(key, rest);
    credit += taken;
    if (taken < rest.size()) {
      connection.taken += taken;
      break;
    }
    connection.queue.pop_front();
    connection.taken = 0;
  }
  if (credit > 0) self_->send(connection.endpoint, protocol::credit_atom_v, id_of(key), credit);
  if (!connection.queue.empty() || (!connection.send_ends && !connection.receive_ends)) return;
  const bool over = device_->shutdown(key, connection.receive_ends, connection.send_ends);
  if (!over) return;
  self_->send(connection.endpoint, protocol::closed_atom_v, id_of(key), std::string("finished"));
  connections_.erase(it);
}

bool VsockState::accept(ConnectionKey key) {
  const auto bound = bound_.find(key.host_port);
  if (bound == bound_.end()) return false;
  connections_[key].endpoint = bound->second;
  self_->send(bound->second, actors::accept_atom_v, id_of(key), kSendCredit);
  return true;
}

void VsockState::connected(ConnectionKey key) {
  const auto it = connections_.find(key);
  if (it == connections_.end()) return;
  if (it->second.timer != 0) loop_.cancel(std::exchange(it->second.timer, 0));
  it->second.connecting.deliver(id_of(key), kSendCredit);
}

void VsockState::data(ConnectionKey key, std::span<const std::span<const std::byte>> pieces,
                      std::size_t total) {
  const auto it = connections_.find(key);
  if (it == connections_.end()) return;
  std::string bytes;
  bytes.reserve(total);
  for (const auto piece : pieces)
    bytes.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  self_->send(it->second.endpoint, protocol::data_atom_v, id_of(key), std::move(bytes));
}

void VsockState::writable(ConnectionKey key, std::size_t) {
  const auto it = connections_.find(key);
  if (it != connections_.end()) pump(it);
}

void VsockState::shutdown(ConnectionKey key, bool no_more_receive, bool no_more_send) {
  const auto it = connections_.find(key);
  if (it == connections_.end()) return;
  self_->send(it->second.endpoint, protocol::half_atom_v, id_of(key), no_more_receive,
              no_more_send);
}

void VsockState::closed(ConnectionKey key, vsock::CloseReason reason) {
  const auto it = connections_.find(key);
  if (it == connections_.end()) return;
  if (it->second.connecting.pending())
    end_connecting(it->second,
                   {ErrorCode::ConnectionClosed, "nothing in the guest listens on vsock port " +
                                                     std::to_string(key.guest_port)});
  else
    self_->send(it->second.endpoint, protocol::closed_atom_v, id_of(key),
                std::string(to_string(reason)));
  connections_.erase(it);
}

protocol::VsockActor::behavior_type VsockState::make_behavior() {
  using namespace protocol;
  return {
      [this](bind_atom, std::uint32_t port, VsockEndpoint& endpoint) {
        watch(endpoint);
        bound_.insert_or_assign(port, std::move(endpoint));
      },
      [this](connect_atom, std::uint32_t port, VsockEndpoint& endpoint) {
        watch(endpoint);
        return connect(port, std::move(endpoint));
      },
      [this](data_atom, ConnectionId id, std::string& bytes) {
        const auto it = connections_.find(key_of(id));
        if (it == connections_.end()) return;
        it->second.queue.push_back(std::move(bytes));
        if (it->second.queue.size() == 1) pump(it);
      },
      [this](taken_atom, ConnectionId id, std::uint64_t bytes) {
        device_->consumed(key_of(id), bytes);
      },
      [this](half_atom, ConnectionId id, bool no_more_receive, bool no_more_send) {
        const auto it = connections_.find(key_of(id));
        if (it == connections_.end()) return;
        it->second.receive_ends |= no_more_receive;
        it->second.send_ends |= no_more_send;
        pump(it);
      },
      [this](reset_atom, ConnectionId id) {
        device_->reset(key_of(id));
        connections_.erase(key_of(id));
      },
  };
}

}  // namespace capsa::vsock_units
