#include <agent/host/pending.hpp>
#include <agent/host/session.hpp>
#include <algorithm>

namespace capsa::agent {

namespace {

error violation(std::string what) {
  return {ErrorCode::AgentProtocol, std::move(what),
          "the agent in the guest is defective or not ours; rebuild the guest"};
}

bool is_last(const wire::GuestFrame& frame) {
  switch (frame.body_case()) {
    case wire::GuestFrame::kError:
    case wire::GuestFrame::kDone:
    case wire::GuestFrame::kStatus:
    case wire::GuestFrame::kInfoReply:
    case wire::GuestFrame::kExistsReply:
    case wire::GuestFrame::kStatReply:
      return true;
    default:
      return false;
  }
}

}  // namespace

Session::Session(SessionOutput& output) : output_(output) {}

Session::~Session() {
  fail_all(error(ErrorCode::Canceled, "the session with the agent was given up"));
}

// -- connection

void Session::start(const Greeting& greeting) {
  wire::HostFrame frame;
  auto& hello = *frame.mutable_hello();
  hello.set_major(kProtocolMajor);
  hello.set_minor(kProtocolMinor);
  hello.set_controlling(greeting.controlling);
  hello.set_wall_clock_ns(greeting.wall_clock.count());
  const auto entropy = std::span(greeting.entropy);
  hello.set_entropy(std::string(as_text(entropy.first(std::min(entropy.size(), kMaxEntropy)))));
  send_frame(frame);
}

result<void> Session::feed(std::span<const std::byte> bytes) {
  std::span<const std::byte> frame_bytes;
  wire::GuestFrame frame;
  while (!end_) {
    const auto step = splitter_.take(bytes, frame_bytes);
    if (step == FrameSplitter::Step::NeedMore) return {};
    result<void> outcome = violation("a frame above 1 MiB came from the guest");
    if (step == FrameSplitter::Step::Frame)
      outcome = parse_frame(frame_bytes, frame)
                    ? on_frame(frame)
                    : violation("a frame that cannot be parsed came from the guest");
    if (!outcome) {
      fail_all(outcome.error());
      return outcome;
    }
  }
  return *end_;
}

void Session::fail_all(const error& why) {
  if (!end_) end_ = why;
  canceled_.clear();
  // Callbacks may make requests; those are refused at once since end_ is set.
  const auto pending = std::exchange(pending_, {});
  for (const auto& [id, request] : pending)
    request->fail(why);
}

result<void> Session::on_frame(const wire::GuestFrame& frame) {
  if (frame.has_hello()) return on_hello(frame.hello());
  if (frame.id() == 0 && frame.has_error()) return from_wire(frame.error());
  if (!ready_) return violation("the guest's first frame is no Hello");
  if (frame.body_case() == wire::GuestFrame::BODY_NOT_SET)
    return violation("a frame of an unknown kind came from the guest");

  if (canceled_.contains(frame.id())) {
    if (is_last(frame)) canceled_.erase(frame.id());
    return {};
  }
  const auto entry = pending_.find(frame.id());
  if (entry == pending_.end()) return violation("the guest answers a request nobody made");
  const auto request = entry->second;  // ours while it runs: a callback may cancel it
  if (!is_last(frame)) {
    if (request->on_event(frame)) return {};
    return violation("the guest sent more than it was given credit for, or the wrong thing");
  }
  pending_.erase(entry);
  if (frame.has_error()) {
    request->fail(from_wire(frame.error()));
    return {};
  }
  if (request->on_last(frame)) return {};
  auto why = violation("the guest's answer is not of the kind that was asked for");
  request->fail(why);
  return why;
}

result<void> Session::on_hello(const wire::Hello& hello) {
  if (ready_) return violation("the guest said Hello twice");
  if (hello.major() != kProtocolMajor)
    return error(ErrorCode::AgentProtocol,
                 "the agent in the guest speaks version " + std::to_string(hello.major()) +
                     " of the protocol, this library version " + std::to_string(kProtocolMajor),
                 "rebuild the guest with this library's agent");
  ready_ = true;
  output_.on_ready({hello.major(), hello.minor(), printable(hello.agent_version())});
  return {};
}

// -- sending

bool Session::send_frame(const wire::HostFrame& frame) {
  scratch_.clear();
  if (!append_frame(frame, scratch_)) return false;
  output_.send(as_bytes(scratch_));
  return true;
}

RequestId Session::submit(std::shared_ptr<PendingRequest> request, wire::HostFrame& frame) {
  if (end_) {
    request->fail(*end_);
    return 0;
  }
  if (pending_.size() + canceled_.size() >= kMaxRequests) {
    request->fail(error(ErrorCode::ResourceExhausted,
                        std::to_string(kMaxRequests) + " requests to the agent run already",
                        "wait for some of them to end"));
    return 0;
  }
  const RequestId id = next_id_++;
  frame.set_id(id);
  const auto kept = pending_.emplace(id, std::move(request)).first->second;
  if (send_frame(frame)) return id;
  pending_.erase(id);
  kept->fail(error(ErrorCode::InvalidConfig, "the request is larger than 1 MiB",
                   "pass large data by file or by standard input"));
  return 0;
}

PendingRequest* Session::find(RequestId id) const {
  const auto entry = pending_.find(id);
  return entry == pending_.end() ? nullptr : entry->second.get();
}

std::size_t Session::send_input(RequestId id, std::span<const std::byte> bytes) {
  std::size_t accepted = 0;
  // Looked up each time: what send() sets off may end the request.
  while (accepted < bytes.size()) {
    auto* request = find(id);
    if (request == nullptr || request->input_credit() == 0) break;
    const auto length = std::min(
        {bytes.size() - accepted, kMaxChunk, static_cast<std::size_t>(request->input_credit())});
    request->consume_input(length);
    wire::HostFrame frame;
    frame.set_id(id);
    frame.mutable_data()->set_stream(wire::STREAM_INPUT);
    frame.mutable_data()->set_bytes(bytes.data() + accepted, length);
    send_frame(frame);
    accepted += length;
  }
  return accepted;
}

void Session::close_input(RequestId id) {
  auto* request = find(id);
  if (request == nullptr || !request->close_input()) return;
  wire::HostFrame frame;
  frame.set_id(id);
  frame.mutable_eof()->set_stream(wire::STREAM_INPUT);
  send_frame(frame);
}

void Session::grant(RequestId id, Stream stream, std::uint64_t bytes) {
  auto* request = find(id);
  const auto granted = request == nullptr ? 0 : request->add_output_credit(stream, bytes);
  if (granted == 0) return;
  wire::HostFrame frame;
  frame.set_id(id);
  frame.mutable_credit()->set_stream(stream == Stream::Error ? wire::STREAM_ERROR
                                                             : wire::STREAM_OUTPUT);
  frame.mutable_credit()->set_amount(granted);
  send_frame(frame);
}

void Session::cancel(RequestId id) {
  const auto entry = pending_.find(id);
  if (entry == pending_.end()) return;
  const auto request = entry->second;
  pending_.erase(entry);
  canceled_.insert(id);
  wire::HostFrame frame;
  frame.set_id(id);
  frame.mutable_cancel();
  send_frame(frame);
  request->fail(error(ErrorCode::Canceled, "the request to the agent was taken back"));
}

}  // namespace capsa::agent
