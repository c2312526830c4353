#include <actors/console/core/run_command.hpp>
#include <algorithm>
#include <utility>

namespace capsa::console {

namespace {

using std::chrono::milliseconds;

// How long the stream must be silent behind a prompt before we believe that it is one: a shell
// writes its prompt and then waits for us.
constexpr milliseconds kQuiet{100};
// How long a prompt may take to come by itself before an empty line asks for it.
constexpr milliseconds kPromptGrace{1000};
// How long an echo may pause when what came of it so far contains the prompt.
constexpr milliseconds kEchoPause{1000};

constexpr std::size_t kRecent = 1024;  // longer than any prompt

// What readline writes around its prompt (bracketed paste, xterm's private mode 2004).
constexpr std::string_view kPasteOn = "\x1b[?2004h";
constexpr std::string_view kPasteOff = "\x1b[?2004l\r";

bool is_control(char c) {
  return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

}  // namespace

result<RunCommand> RunCommand::make(std::string command, std::string prompt,
                                    std::size_t max_output) {
  if (command.ends_with('\n')) command.pop_back();
  if (std::any_of(command.begin(), command.end(), is_control))
    return error(ErrorCode::InvalidConfig,
                 "run_command: the command contains a line end or control character",
                 "give one line; exec() takes several");
  if (command.size() > kMaxLine)
    return error(ErrorCode::InvalidConfig,
                 "run_command: the command has " + std::to_string(command.size()) +
                     " bytes, a line editor takes at most " + std::to_string(kMaxLine),
                 "exec() takes longer ones");
  if (prompt.empty())
    return error(ErrorCode::InvalidConfig, "run_command: the prompt is empty",
                 "give the text that the program prompts with, such as \"# \"");
  return RunCommand(std::move(command), std::move(prompt), max_output);
}

RunCommand::RunCommand(std::string command, std::string prompt, std::size_t max_output)
    : command_(std::move(command)),
      prompt_(std::move(prompt)),
      max_output_(max_output),
      echo_(command_),
      pattern_(prompt_) {}

void RunCommand::track(std::string_view bytes) {
  line_.push(bytes);
  recent_.append(bytes);
  if (recent_.size() > 2 * kRecent) recent_.erase(0, recent_.size() - kRecent);
}

bool RunCommand::at_prompt() const {
  if (recent_.ends_with(prompt_)) return true;
  const std::string_view last = std::string_view(prompt_).substr(prompt_.rfind('\n') + 1);
  const std::string_view line = line_.text();
  return !last.empty() && (line.ends_with(last) || trim_right(line).ends_with(last));
}

Step RunCommand::open(std::string_view tail, TimePoint now) {
  track(tail);
  if (at_prompt()) return type(now);
  wakeup_ = now + kPromptGrace;
  return {};
}

Step RunCommand::type(TimePoint now) {
  phase_ = Phase::Echo;
  wakeup_ = now + kEchoPause;
  return {0, command_ + "\n", false};
}

Step RunCommand::poke(TimePoint now) {
  if (!wakeup_ || now < *wakeup_) return {};
  wakeup_.reset();
  if (phase_ == Phase::Sync) {
    if (at_prompt()) return type(now);
    // Not even an empty line brought the prompt: type, as the caller asked.
    if (std::exchange(provoked_, true)) return type(now);
    wakeup_ = now + kPromptGrace;
    return {0, "\n", false};
  }
  // A terminal without echo, whose prompt looks like the beginning of the line that was typed.
  if (phase_ == Phase::Echo && echo_.seen().find(prompt_) != std::string::npos) {
    phase_ = Phase::Output;
    take_output(echo_.seen());
    return {0, {}, phase_ == Phase::Done};
  }
  return {};
}

Step RunCommand::feed(std::string_view bytes, TimePoint now) {
  Step step;
  if (phase_ == Phase::Sync) {
    track(bytes);
    wakeup_ = now + (at_prompt() ? kQuiet : kPromptGrace);
    step.taken = bytes.size();
    return step;
  }
  if (phase_ == Phase::Echo) {
    step.taken = echo_.feed(bytes);
    wakeup_ = now + kEchoPause;
    if (echo_.state() == EchoSkipper::State::Skipping) return step;
    phase_ = Phase::Output;
    wakeup_.reset();
    if (echo_.state() == EchoSkipper::State::NoEcho) take_output(echo_.seen());
  }
  if (phase_ == Phase::Output) step.taken += take_output(bytes.substr(step.taken));
  step.done = phase_ == Phase::Done;
  return step;
}

std::size_t RunCommand::take_output(std::string_view bytes) {
  const std::size_t stop = pattern_.feed(bytes);
  const std::size_t taken = stop == StreamPattern::npos ? bytes.size() : stop;
  output_.append(bytes.substr(0, taken));
  if (stop != StreamPattern::npos) {
    output_.resize(output_.size() - prompt_.size());
    finish();
  } else if (output_.size() > max_output_) {
    overflow_ = true;
    phase_ = Phase::Done;
  }
  return taken;
}

void RunCommand::finish() {
  phase_ = Phase::Done;
  std::string_view text = output_;
  if (text.starts_with(kPasteOff)) {
    text.remove_prefix(kPasteOff.size());
    // readline ends its line itself where the terminal does not echo.
    const bool echo = echo_.state() == EchoSkipper::State::Skipped;
    if (!echo && text.starts_with("\r\n")) text.remove_prefix(2);
  }
  // The part of the prompt's line that stands before what the caller knows of it.
  const std::string_view known = std::string_view(recent_).substr(recent_.rfind('\n') + 1);
  const std::string_view before = known.substr(0, known.rfind(prompt_));
  const std::size_t line = text.rfind('\n') == text.npos ? 0 : text.rfind('\n') + 1;
  if (before.size() < known.size() && text.ends_with(before))
    text.remove_suffix(before.size());
  else if (text.substr(line).starts_with(kPasteOn))
    text = text.substr(0, line);
  output_ = drop_carriage_returns(text, 1);
}

std::string RunCommand::waiting_for() const {
  const std::string prompt = "the prompt \"" + printable(prompt_) + "\"";
  return phase_ == Phase::Sync ? prompt : prompt + " after the command";
}

result<std::string> RunCommand::outcome() const {
  if (phase_ != Phase::Done)
    return error(ErrorCode::Internal, "run_command was asked for its outcome before it was done");
  if (overflow_)
    return error(ErrorCode::ResourceExhausted,
                 "run_command: no prompt \"" + printable(prompt_) + "\" within " +
                     std::to_string(max_output_) + " bytes of output",
                 "give the prompt as the program writes it");
  return output_;
}

}  // namespace capsa::console
