#include <agent/guest/tree_tasks.hpp>
#include <algorithm>
#include <utility>

namespace capsa::agent::guest {

namespace {

void fail(Reply& reply, const TreeFailure& failure) {
  switch (failure.kind) {
    case TreeFailure::Kind::System:
      return reply.fail(failure.number, failure.message);
    case TreeFailure::Kind::Unsupported:
      return reply.fail(wire::Error::KIND_UNSUPPORTED, failure.message);
    case TreeFailure::Kind::Limit:
      return reply.fail(wire::Error::KIND_LIMIT, failure.message);
    case TreeFailure::Kind::Malformed:
      return reply.fail(wire::Error::KIND_INVALID, failure.message);
  }
}

}  // namespace

// -- out

ReadTreeTask::ReadTreeTask(Reply reply, const wire::ReadTree& request)
    : reply_(reply),
      source_(request.path(), request.skip_special()),
      credit_(std::min(request.window(), kMaxWindow)),
      later_(reply.loop(), [this] { step(); }) {}

std::unique_ptr<Task> ReadTreeTask::begin(Reply reply, const wire::ReadTree& request) {
  std::unique_ptr<ReadTreeTask> task(new ReadTreeTask(reply, request));
  task->later_.schedule();
  return task;
}

void ReadTreeTask::step() {
  if (sent_ == unsent_.size()) {
    if (source_.done()) return reply_.done();
    unsent_.clear();
    sent_ = 0;
    if (const auto failure = source_.read(unsent_)) return fail(reply_, *failure);
    return later_.schedule();
  }
  if (credit_ == 0 || !reply_.has_room()) return;
  const auto length = std::min(
      {static_cast<std::uint64_t>(unsent_.size() - sent_), credit_, std::uint64_t{kMaxChunk}});
  wire::GuestFrame frame;
  frame.mutable_data()->set_stream(wire::STREAM_OUTPUT);
  frame.mutable_data()->set_bytes(unsent_.data() + sent_, length);
  reply_.send(frame);
  sent_ += length;
  credit_ -= length;
  later_.schedule();
}

bool ReadTreeTask::on_credit(wire::Stream stream, std::uint64_t amount) {
  credit_ = std::min(credit_ + amount, kMaxWindow);
  later_.schedule();
  return stream == wire::STREAM_OUTPUT;
}

void ReadTreeTask::on_room() {
  later_.schedule();
}

// -- in

std::unique_ptr<Task> WriteTreeTask::begin(Reply reply, const wire::WriteTree& request) {
  std::unique_ptr<WriteTreeTask> task(new WriteTreeTask(reply, request));
  task->give_credit(kFileWindow);
  return task;
}

void WriteTreeTask::give_credit(std::uint64_t amount) {
  credit_ += amount;
  wire::GuestFrame frame;
  frame.mutable_credit()->set_stream(wire::STREAM_INPUT);
  frame.mutable_credit()->set_amount(amount);
  reply_.send(frame);
}

bool WriteTreeTask::on_data(wire::Stream stream, const std::string& bytes) {
  if (stream != wire::STREAM_INPUT || bytes.size() > credit_) return false;
  credit_ -= bytes.size();
  if (const auto failure = sink_.feed(as_bytes(bytes))) {
    fail(reply_, *failure);
    return true;
  }
  taken_ += bytes.size();
  if (taken_ >= kFileWindow / 4) give_credit(std::exchange(taken_, 0));
  return true;
}

bool WriteTreeTask::on_eof(wire::Stream stream) {
  if (stream != wire::STREAM_INPUT) return false;
  if (const auto failure = sink_.finish())
    fail(reply_, *failure);
  else
    reply_.done();
  return true;
}

}  // namespace capsa::agent::guest
