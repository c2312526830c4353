#include <backends/vhost_user/notifier.hpp>
#include <backends/vhost_user/session.hpp>

namespace capsa::vhost_user {
namespace {

/// What may wait while the device comes to rest. A host that honours want_input() keeps far below
/// it: the rest of one message.
constexpr std::size_t kMaxBacklog = 64 * 1024;

}  // namespace

void Session::Calls::signal(virtio::QueueIndex queue) {
  if (queue < call.size() && call[queue]) notify(call[queue].get());
}

Session::Session(virtio::Device& device, SessionHost& host)
    : device_(device),
      host_(host),
      identity_(device.identity()),
      rings_(identity_.queue_sizes.size()),
      calls_(std::make_shared<Calls>()),
      self_(std::make_shared<Session*>(this)) {
  calls_->call.resize(rings_.size());
  calls_->error.resize(rings_.size());
}

Session::~Session() {
  self_.reset();
  for (std::size_t i = 0; i < rings_.size(); ++i)
    drop_kick(static_cast<virtio::QueueIndex>(i));
  // Where the device is coming to rest already, that callback keeps alive what it needs.
  if (has_driver_ && !stopping_) device_.reset([running = running_] {});
}

void Session::close(std::function<void()> done) {
  ended_ = true;
  in_hand_.reset();
  backlog_.clear();
  for (std::size_t i = 0; i < rings_.size(); ++i)
    drop_kick(static_cast<virtio::QueueIndex>(i));
  if (!has_driver_) {
    done();
    return;
  }
  on_closed_ = std::move(done);
  if (!stopping_) rest(Rest::Reset, [] {});
}

void Session::feed(std::span<const std::byte> bytes, std::vector<UniqueFd> fds) {
  if (ended_) return;
  backlog_bytes_ += bytes.size();
  if (backlog_bytes_ > kMaxBacklog) {
    fail({ErrorCode::BackendFailed, "vhost-user: more input than can wait"});
    return;
  }
  backlog_.push_back({{bytes.begin(), bytes.end()}, std::move(fds), 0});
  work();
}

void Session::work() {
  // A device that came to rest at once gets here from inside the loop below, which goes on itself.
  if (working_) return;
  working_ = true;
  while (!ended_ && !busy() && !backlog_.empty()) {
    Piece& piece = backlog_.front();
    const auto used =
        reader_.feed(std::span(piece.bytes).subspan(piece.used), std::move(piece.fds));
    if (!used) {
      fail(used.error());
      break;
    }
    piece.fds.clear();
    piece.used += *used;
    backlog_bytes_ -= *used;
    if (piece.used == piece.bytes.size()) backlog_.pop_front();
    if (auto message = reader_.take()) handle(std::move(*message));
  }
  working_ = false;
  tell_want_input();
}

void Session::tell_want_input() {
  const bool wanted = !busy() && !ended_;
  if (wanted == input_wanted_) return;
  input_wanted_ = wanted;
  host_.want_input(wanted);
}

void Session::handle(Message message) {
  in_hand_ = message.header;
  switch (message.request()) {
    case Request::GetFeatures:
      return reply(identity_.features | kFeatureProtocolFeatures);
    case Request::SetFeatures:
      return set_features(message);
    case Request::SetOwner:
    case Request::ResetOwner:  // deprecated: front-ends disagree on what it means
      return acknowledge({});
    case Request::GetProtocolFeatures:
      return reply(protocol_features_offered());
    case Request::SetProtocolFeatures:
      return set_protocol_features(message);
    case Request::GetQueueNum:
      return reply(std::uint64_t{rings_.size()});
    case Request::SetMemTable:
      return set_mem_table(message);
    case Request::SetVringNum:
      return set_vring_num(message);
    case Request::SetVringAddr:
      return set_vring_addr(message);
    case Request::SetVringBase:
      return set_vring_base(message);
    case Request::GetVringBase:
      return get_vring_base(message);
    case Request::SetVringKick:
    case Request::SetVringCall:
    case Request::SetVringErr:
      return set_vring_notifier(message);
    case Request::SetVringEnable:
      return set_vring_enable(message);
    case Request::GetConfig:
      return get_config(message);
    case Request::SetConfig:
      return set_config(message);
    case Request::ResetDevice:
      return reset_device();
    case Request::SetLogBase:
    case Request::SetLogFd:
      break;
  }
  acknowledge(error(ErrorCode::UnsupportedFeature,
                    "vhost-user: " + name_of(message.header.request) + " is not supported"));
}

void Session::reply(std::span<const std::byte> payload) {
  const auto request = in_hand_->request;
  in_hand_.reset();
  host_.send(encode_reply(request, payload));
}

void Session::acknowledge(result<void> outcome) {
  if (!in_hand_) return;
  const bool asked = (in_hand_->flags & kFlagNeedReply) != 0;
  if (asked && (protocol_features_ & kProtocolReplyAck) != 0) {
    return reply(std::uint64_t{outcome.ok() ? 0U : 1U});
  }
  in_hand_.reset();
  // Without an acknowledgement there is no other way to say it than to hang up: a front-end that
  // goes on would take a dead device for a live one.
  if (!outcome) fail(outcome.error());
}

void Session::fail(error why) {
  if (ended_) return;
  ended_ = true;
  in_hand_.reset();
  backlog_.clear();
  host_.failed(std::move(why));
}

}  // namespace capsa::vhost_user
