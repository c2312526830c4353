#include <actors/console/core/exec_parser.hpp>
#include <actors/console/core/text.hpp>
#include <algorithm>
#include <charconv>
#include <utility>

namespace capsa::console {

namespace {

// A shell that is just starting may flush what was typed before its first prompt, so an unanswered
// hello is repeated; each is one harmless line, and a busy shell answers all of them later.
constexpr std::chrono::seconds kHelloRetry{3};
constexpr int kMaxHellos = 4;

constexpr std::size_t kLongestStatus = 16;  // ":255" and line end, with room for a CR or two

}  // namespace

ExecParser::ExecParser(ExecScript script, std::size_t max_output)
    : script_(std::move(script)), max_output_(max_output), marker_(script_.hello_marker()) {}

Step ExecParser::open(std::string_view, TimePoint now) {
  ++hellos_;
  retry_ = now + kHelloRetry;
  return {0, script_.hello(), false};
}

Step ExecParser::poke(TimePoint now) {
  if (phase_ != Phase::Hello || !retry_ || now < *retry_) return {};
  retry_.reset();
  if (++hellos_ < kMaxHellos) retry_ = now + kHelloRetry;
  return {0, script_.hello(), false};
}

std::optional<TimePoint> ExecParser::wakeup() const {
  return phase_ == Phase::Hello ? retry_ : std::nullopt;
}

Step ExecParser::feed(std::string_view bytes, TimePoint) {
  Step step;
  while (step.taken < bytes.size() && phase_ != Phase::Done)
    step.taken += feed_some(bytes.substr(step.taken), step);
  step.done = phase_ == Phase::Done;
  return step;
}

std::size_t ExecParser::feed_some(std::string_view bytes, Step& step) {
  switch (phase_) {
    case Phase::Hello:
    case Phase::Batches: {
      const std::size_t stop = marker_.feed(bytes);
      if (stop == StreamPattern::npos) return bytes.size();
      if (phase_ == Phase::Batches) ++batch_;
      const bool last = batch_ + 1 == script_.batches().size();
      phase_ = last ? Phase::Begin : Phase::Batches;
      marker_ = StreamPattern(last ? script_.begin_marker() : script_.ack_marker(batch_));
      step.send += script_.batches()[batch_];
      return stop;
    }
    case Phase::Begin: {
      const std::size_t stop = marker_.feed(bytes);
      if (stop == StreamPattern::npos) return bytes.size();
      phase_ = Phase::BeginLineEnd;
      return stop;
    }
    case Phase::BeginLineEnd:
      if (bytes.front() == '\r') {
        ++returns_;
        return 1;
      }
      marker_ = StreamPattern(script_.end_marker());
      phase_ = Phase::Output;
      return bytes.front() == '\n' ? 1 : 0;
    case Phase::Output:
      return feed_output(bytes);
    case Phase::Status: {
      const std::size_t stop = bytes.find('\n');
      const std::size_t taken = stop == std::string_view::npos ? bytes.size() : stop + 1;
      status_text_.append(bytes.substr(0, std::min(taken, kLongestStatus)));
      if (stop != std::string_view::npos || status_text_.size() >= kLongestStatus) parse_status();
      return taken;
    }
    case Phase::Done:
      break;
  }
  return bytes.size();
}

std::size_t ExecParser::feed_output(std::string_view bytes) {
  const std::size_t stop = marker_.feed(bytes);
  const std::size_t taken = stop == StreamPattern::npos ? bytes.size() : stop;
  raw_.append(bytes.substr(0, std::min(taken, max_output_ - raw_.size())));
  total_ += taken;
  if (stop != StreamPattern::npos) {
    total_ -= marker_.bytes().size();
    if (raw_.size() > total_) raw_.resize(total_);
    phase_ = Phase::Status;
  }
  return taken;
}

void ExecParser::parse_status() {
  phase_ = Phase::Done;
  std::string_view text = status_text_;
  if (!text.starts_with(':')) return;
  text.remove_prefix(1);
  int status = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), status);
  const std::string_view rest(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (code == std::errc() && status >= 0 && rest.find_first_not_of("\r\n") == rest.npos)
    status_ = status;
}

Recovery ExecParser::recovery() const {
  if (phase_ == Phase::Hello || phase_ == Phase::Done) return {};
  // Between the last line and its first output, a Ctrl-C may find a line editor that has the
  // terminal raw and keeps the byte for its next prompt, or our own trap: the command starts then.
  return {"\x03", phase_ == Phase::Begin ? script_.begin_marker() : std::string()};
}

std::string ExecParser::waiting_for() const {
  switch (phase_) {
    case Phase::Hello:
      return "a POSIX shell at the console to answer";
    case Phase::Batches:
    case Phase::Begin:
    case Phase::BeginLineEnd:
      return "the shell at the console to take the command";
    case Phase::Output:
    case Phase::Status:
    case Phase::Done:
      break;
  }
  return "the command to end";
}

result<ConsoleOutput> ExecParser::outcome() const {
  if (phase_ != Phase::Done)
    return error(ErrorCode::Internal, "exec was asked for its outcome before it was done");
  if (!status_)
    return error(ErrorCode::IoError,
                 "exec: the status is garbled: \"" + printable(status_text_) + "\"",
                 "something else writes to the same terminal; keep kernel messages off it");
  if (total_ > raw_.size())
    return error(ErrorCode::ResourceExhausted,
                 "exec: the command wrote " + std::to_string(total_) + " bytes, at most " +
                     std::to_string(max_output_) + " are kept; its status was " +
                     std::to_string(*status_),
                 "write to a file in the guest, or use the agent");
  return ConsoleOutput{drop_carriage_returns(raw_, returns_), *status_};
}

}  // namespace capsa::console
