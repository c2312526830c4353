#include <agent/guest/server_session.hpp>
#include <cstring>

namespace capsa::agent::guest {

namespace {

// Bulk data waits above this: it bounds what a host that does not read costs the guest.
constexpr std::size_t kOutboxRoom = std::size_t{256} << 10;

bool is_request(const wire::HostFrame& frame) {
  const auto body = frame.body_case();
  return (body >= wire::HostFrame::kPing && body <= wire::HostFrame::kShutdown) ||
         body == wire::HostFrame::kReadTree || body == wire::HostFrame::kWriteTree;
}

}  // namespace

// -- replies

void Reply::send(wire::GuestFrame& frame) {
  // A task that has been answered may have an event or two on the way still.
  if (session_->is_running(id_)) session_->send(frame, id_);
}

void Reply::finish(wire::GuestFrame& frame) {
  if (!session_->is_running(id_)) return;
  session_->send(frame, id_);
  session_->retire(id_);
}

void Reply::done() {
  wire::GuestFrame frame;
  frame.mutable_done();
  finish(frame);
}

void Reply::fail(int guest_errno, std::string_view doing) {
  wire::GuestFrame frame;
  auto& error = *frame.mutable_error();
  error.set_kind(wire::Error::KIND_SYSTEM);
  error.set_guest_errno(guest_errno);
  error.set_message(std::string(doing) + ": " + ::strerror(guest_errno));
  finish(frame);
}

void Reply::fail(wire::Error::Kind kind, std::string_view message) {
  wire::GuestFrame frame;
  frame.mutable_error()->set_kind(kind);
  frame.mutable_error()->set_message(std::string(message));
  finish(frame);
}

bool Reply::has_room() const {
  return session_->outbox_.queued() < kOutboxRoom;
}

Loop& Reply::loop() const {
  return session_->loop_;
}

// -- session

ServerSession::~ServerSession() {
  loop_.cancel(bury_timer_);
  tasks_.clear();
}

void ServerSession::start() {
  wire::GuestFrame frame;
  auto& hello = *frame.mutable_hello();
  hello.set_major(kProtocolMajor);
  hello.set_minor(kProtocolMinor);
  hello.set_agent_version(CAPSA_VERSION);
  send(frame, 0);
}

bool ServerSession::feed(std::span<const std::byte> bytes) {
  std::span<const std::byte> frame_bytes;
  wire::HostFrame frame;
  for (;;) {
    switch (splitter_.take(bytes, frame_bytes)) {
      case FrameSplitter::Step::NeedMore:
        return true;
      case FrameSplitter::Step::Broken:
        return refuse(wire::Error::KIND_PROTOCOL, "a frame is above 1 MiB");
      case FrameSplitter::Step::Frame:
        if (!parse_frame(frame_bytes, frame))
          return refuse(wire::Error::KIND_PROTOCOL, "a frame cannot be parsed");
        if (!on_frame(frame)) return false;
    }
  }
}

bool ServerSession::on_frame(const wire::HostFrame& frame) {
  if (frame.has_hello()) return on_hello(frame.hello());
  if (!greeted_) return refuse(wire::Error::KIND_PROTOCOL, "the first frame is no Hello");
  if (frame.id() == 0) return refuse(wire::Error::KIND_PROTOCOL, "a request has no id");
  if (is_request(frame)) return on_request(frame);

  const auto entry = tasks_.find(frame.id());
  if (frame.body_case() == wire::HostFrame::BODY_NOT_SET) {
    // A newer host's request: one of our major version must be told, not cut off.
    if (entry == tasks_.end())
      send_error(frame.id(), wire::Error::KIND_UNSUPPORTED, "this agent does not know the request");
    return true;
  }
  if (entry == tasks_.end()) return true;  // crossed our last frame
  if (frame.has_cancel()) {
    Reply(*this, frame.id()).fail(wire::Error::KIND_CANCELED, "canceled");
    return true;
  }
  if (on_running(*entry->second, frame)) return true;
  return refuse(wire::Error::KIND_PROTOCOL, "a frame does not fit the request it belongs to");
}

bool ServerSession::on_hello(const wire::Hello& hello) {
  if (greeted_) return refuse(wire::Error::KIND_PROTOCOL, "a second Hello");
  if (hello.major() != kProtocolMajor)
    return refuse(wire::Error::KIND_VERSION,
                  "this agent speaks version " + std::to_string(kProtocolMajor) +
                      " of the protocol, the host version " + std::to_string(hello.major()));
  greeted_ = true;
  controlling_ = hello.controlling();
  services_.hello(hello);
  return true;
}

bool ServerSession::on_request(const wire::HostFrame& frame) {
  if (tasks_.contains(frame.id()))
    return refuse(wire::Error::KIND_PROTOCOL, "a request's id is in use");
  if (tasks_.size() >= kMaxRequests) {
    send_error(frame.id(), wire::Error::KIND_LIMIT,
               std::to_string(kMaxRequests) + " requests run already on this connection");
    return true;
  }
  beginning_ = frame.id();
  auto task = services_.begin(Reply(*this, frame.id()), frame, controlling_);
  // A task that answered while it began is over already.
  const bool answered = std::exchange(beginning_, 0) == 0;
  if (task && !answered) tasks_.emplace(frame.id(), std::move(task));
  return true;
}

bool ServerSession::on_running(Task& task, const wire::HostFrame& frame) {
  switch (frame.body_case()) {
    case wire::HostFrame::kData:
      return !frame.data().bytes().empty() && frame.data().bytes().size() <= kMaxFrame &&
             task.on_data(frame.data().stream(), frame.data().bytes());
    case wire::HostFrame::kEof:
      return task.on_eof(frame.eof().stream());
    case wire::HostFrame::kCredit:
      return frame.credit().amount() <= kMaxWindow &&
             task.on_credit(frame.credit().stream(), frame.credit().amount());
    case wire::HostFrame::kSignal:
      task.on_signal(frame.signal().number());
      return true;
    case wire::HostFrame::kResize:
      task.on_resize(frame.resize().rows(), frame.resize().cols());
      return true;
    default:
      return false;
  }
}

bool ServerSession::refuse(wire::Error::Kind kind, std::string_view message) {
  send_error(0, kind, message);
  return false;
}

void ServerSession::send_error(std::uint64_t id, wire::Error::Kind kind, std::string_view message) {
  wire::GuestFrame frame;
  frame.mutable_error()->set_kind(kind);
  frame.mutable_error()->set_message(std::string(message));
  send(frame, id);
}

bool ServerSession::is_running(std::uint64_t id) const {
  return beginning_ == id || tasks_.contains(id);
}

void ServerSession::send(wire::GuestFrame& frame, std::uint64_t id) {
  frame.set_id(id);
  scratch_.clear();
  // Everything we send is cut to fit (kMaxChunk, batches of entries), so it always does.
  if (append_frame(frame, scratch_)) outbox_.write(scratch_);
}

void ServerSession::retire(std::uint64_t id) {
  if (beginning_ == id) beginning_ = 0;
  const auto entry = tasks_.find(id);
  if (entry == tasks_.end()) return;
  retired_.push_back(std::move(entry->second));
  tasks_.erase(entry);
  if (bury_timer_ != 0) return;
  bury_timer_ = loop_.call_after(std::chrono::nanoseconds(0), [this] {
    bury_timer_ = 0;
    retired_.clear();
  });
}

void ServerSession::on_room() {
  // From where the last round stopped, so that no task starves behind one that fills every room.
  for (std::size_t left = tasks_.size(); left > 0 && outbox_.queued() < kOutboxRoom; --left) {
    auto entry = tasks_.upper_bound(last_room_);
    if (entry == tasks_.end()) entry = tasks_.begin();
    if (entry == tasks_.end()) return;
    last_room_ = entry->first;
    entry->second->on_room();
  }
}

}  // namespace capsa::agent::guest
