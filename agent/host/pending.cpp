#include <agent/host/pending.hpp>
#include <algorithm>

namespace capsa::agent {

namespace {

// Called once at most: the callback is gone before it runs, whatever it does to the session.
template <class Value>
void finish(Callback<Value>& done, result<Value> outcome) {
  if (done) std::exchange(done, nullptr)(std::move(outcome));
}

}  // namespace

// -- programs

ExecRequest::ExecRequest(ExecEvents events, const ExecWindows& windows, bool stdin_open)
    : events_(std::move(events)), stdout_(windows.stdout_bytes), stderr_(windows.stderr_bytes) {
  if (!stdin_open) input_.close();
}

bool ExecRequest::on_event(const wire::GuestFrame& frame) {
  switch (frame.body_case()) {
    case wire::GuestFrame::kStarted:
      if (std::exchange(started_, true)) return false;
      if (events_.started) events_.started(frame.started().pid());
      return true;
    case wire::GuestFrame::kData:
      return started_ && on_data(frame.data());
    case wire::GuestFrame::kCredit:
      return on_credit(frame.credit());
    case wire::GuestFrame::kInputClosed:
      if (!input_.open()) return true;  // crossed our own end of input
      input_.close();
      if (events_.stdin_closed) events_.stdin_closed();
      return true;
    default:
      return false;
  }
}

bool ExecRequest::on_data(const wire::Data& data) {
  const bool is_error = data.stream() == wire::STREAM_ERROR;
  if (!is_error && data.stream() != wire::STREAM_OUTPUT) return false;
  if (!(is_error ? stderr_ : stdout_).take(data.bytes().size())) return false;
  const auto& deliver = is_error ? events_.stderr_data : events_.stdout_data;
  if (deliver) deliver(as_bytes(data.bytes()));
  return true;
}

bool ExecRequest::on_credit(const wire::Credit& credit) {
  if (credit.stream() != wire::STREAM_INPUT) return false;
  if (!input_.open()) return true;
  if (!input_.add(credit.amount())) return false;
  if (events_.stdin_room) events_.stdin_room(input_.left());
  return true;
}

bool ExecRequest::on_last(const wire::GuestFrame& frame) {
  if (!frame.has_status()) return false;
  finish<ExitStatus>(events_.done, from_wire(frame.status()));
  return true;
}

void ExecRequest::fail(const error& why) {
  finish<ExitStatus>(events_.done, why);
}

std::uint64_t ExecRequest::add_output_credit(Stream stream, std::uint64_t amount) {
  if (stream == Stream::Input) return 0;
  return (stream == Stream::Error ? stderr_ : stdout_).add(amount);
}

bool ExecRequest::close_input() {
  const bool was_open = input_.open();
  input_.close();
  return was_open;
}

// -- files

bool ReadRequest::on_event(const wire::GuestFrame& frame) {
  if (!frame.has_data() || frame.data().stream() != wire::STREAM_OUTPUT) return false;
  if (!window_.take(frame.data().bytes().size())) return false;
  if (events_.data) events_.data(as_bytes(frame.data().bytes()));
  return true;
}

bool ReadRequest::on_last(const wire::GuestFrame& frame) {
  if (!frame.has_done()) return false;
  finish<void>(events_.done, result<void>{});
  return true;
}

void ReadRequest::fail(const error& why) {
  finish<void>(events_.done, why);
}

std::uint64_t ReadRequest::add_output_credit(Stream stream, std::uint64_t amount) {
  return stream == Stream::Output ? window_.add(amount) : 0;
}

bool WriteRequest::on_event(const wire::GuestFrame& frame) {
  if (!frame.has_credit() || frame.credit().stream() != wire::STREAM_INPUT) return false;
  if (!input_.open()) return true;
  if (!input_.add(frame.credit().amount())) return false;
  if (events_.room) events_.room(input_.left());
  return true;
}

bool WriteRequest::on_last(const wire::GuestFrame& frame) {
  // A file cannot be complete before we said that it is.
  if (!frame.has_done() || !finished_) return false;
  finish<void>(events_.done, result<void>{});
  return true;
}

void WriteRequest::fail(const error& why) {
  finish<void>(events_.done, why);
}

bool WriteRequest::close_input() {
  if (finished_) return false;
  finished_ = true;
  input_.close();
  return true;
}

bool ListRequest::on_event(const wire::GuestFrame& frame) {
  if (!frame.has_entries()) return false;
  const auto count = static_cast<std::uint64_t>(frame.entries().entries_size());
  if (!window_.take(count)) return false;
  for (const auto& entry : frame.entries().entries()) {
    // What a directory cannot hold must not reach code that joins it to a path.
    if (entry.name().empty() || entry.name().size() > 255 || entry.name() == "." ||
        entry.name() == ".." ||
        entry.name().find_first_of(std::string("/\0", 2)) != std::string::npos)
      return false;
    bytes_ += entry.name().size() + entry.stat().link_target().size();
    if (entries_.size() >= Session::kMaxDirEntries || bytes_ > Session::kMaxDirBytes) {
      fail(error(ErrorCode::ResourceExhausted,
                 "the directory has more than " + std::to_string(Session::kMaxDirEntries) +
                     " entries, or " + std::to_string(Session::kMaxDirBytes) + " bytes of names",
                 "list it with a program in the guest"));
      give_up_();
      return true;
    }
    entries_.push_back({entry.name(), from_wire(entry.stat())});
  }
  grant_(window_.add(count));
  return true;
}

bool ListRequest::on_last(const wire::GuestFrame& frame) {
  if (!frame.has_done()) return false;
  std::sort(entries_.begin(), entries_.end(),
            [](const DirEntry& a, const DirEntry& b) { return a.name < b.name; });
  finish<std::vector<DirEntry>>(done_, std::move(entries_));
  return true;
}

void ListRequest::fail(const error& why) {
  finish<std::vector<DirEntry>>(done_, why);
}

}  // namespace capsa::agent
