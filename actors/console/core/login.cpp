#include <actors/console/core/login.hpp>
#include <algorithm>
#include <cctype>
#include <utility>

namespace capsa::console {

namespace {

using std::chrono::milliseconds;

// How long the stream must be silent behind a line that looks like a prompt.
constexpr milliseconds kQuiet{200};
// The same for a line that only may be one, such as "vm> ".
constexpr milliseconds kLongQuiet{1500};
// No prompt at all: how long to wait before an empty line asks for one, at first and then on.
constexpr milliseconds kFirstNudge{1000};
constexpr milliseconds kNextNudge{5000};
// getty flushes its input when it starts (TCSAFLUSH), so a name that is not even echoed is lost.
constexpr milliseconds kResend{3000};
constexpr int kMaxTries = 3;

constexpr const char* kCheckBoth = "check the user and the password";

bool ends_with_folded(std::string_view text, std::string_view lower) {
  return text.size() >= lower.size() &&
         std::equal(lower.begin(), lower.end(), text.end() - static_cast<long>(lower.size()),
                    [](char want, char have) {
                      return want == std::tolower(static_cast<unsigned char>(have));
                    });
}

bool has_control(std::string_view text) {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

// login(1) of util-linux and shadow, busybox login.
bool says_refused(std::string_view line) {
  return line.starts_with("Login incorrect") || line.starts_with("Authentication failure") ||
         line.starts_with("Login timed out");
}

}  // namespace

result<Login> Login::make(std::string user, std::optional<std::string> password) {
  if (user.empty() || has_control(user))
    return error(ErrorCode::InvalidConfig, "login: the user is empty or has a control character",
                 "give the name as it is typed at the login prompt");
  if (password && has_control(*password))
    return error(ErrorCode::InvalidConfig, "login: the password has a control character",
                 "give the password as it is typed, without a line end");
  return Login(std::move(user), std::move(password));
}

Login::Login(std::string user, std::optional<std::string> password)
    : user_(std::move(user)), password_(std::move(password)) {}

Login::Prompt Login::prompt() const {
  const std::string_view line = trim_right(line_.text());
  if (line.empty()) return Prompt::None;
  if (ends_with_folded(line, "login:") && !ends_with_folded(line, "last login:"))
    return Prompt::Login;
  if (ends_with_folded(line, "password:")) return Prompt::Password;
  const bool blank_follows = line.size() < line_.text().size();
  if (blank_follows && (line.back() == '#' || line.back() == '$')) return Prompt::Shell;
  const bool accepted = phase_ == Phase::SentUser || phase_ == Phase::SentPassword;
  if (accepted && answered_ && std::string_view("#$%>").find(line.back()) != std::string_view::npos)
    return Prompt::PerhapsShell;
  return Prompt::None;
}

void Login::watch(TimePoint now) {
  switch (prompt()) {
    case Prompt::Password:
      // Somebody else's half login: an empty line ends it.
      wakeup_ = now + (phase_ == Phase::Start ? kFirstNudge : kQuiet);
      break;
    case Prompt::Login:
    case Prompt::Shell:
      wakeup_ = now + kQuiet;
      break;
    case Prompt::PerhapsShell:
      wakeup_ = now + kLongQuiet;
      break;
    case Prompt::None:
      if (phase_ == Phase::Start)
        wakeup_ = now + kFirstNudge;
      else if (phase_ == Phase::SentUser && !answered_)
        wakeup_ = now + kResend;
      else
        wakeup_.reset();
      break;
  }
}

Step Login::open(std::string_view tail, TimePoint now) {
  line_.push(tail);
  watch(now);
  return {};
}

Step Login::feed(std::string_view bytes, TimePoint now) {
  Step step;
  for (const char c : bytes) {
    ++step.taken;
    answered_ = true;
    if (!line_.push(c)) continue;
    const std::string_view line = line_.last();
    if (line == user_) echoed_ = true;
    if (phase_ != Phase::Start && says_refused(line)) {
      step.done =
          fail("the guest refused the login of \"" + printable(user_) + "\": " + printable(line),
               kCheckBoth)
              .done;
      return step;
    }
  }
  watch(now);
  return step;
}

Step Login::poke(TimePoint now) {
  if (!wakeup_ || now < *wakeup_ || phase_ == Phase::Done) return {};
  wakeup_.reset();
  switch (prompt()) {
    case Prompt::Shell:
    case Prompt::PerhapsShell:
      return succeed();
    case Prompt::Login:
      return on_login_prompt(now);
    case Prompt::Password:
      if (phase_ == Phase::SentUser && password_) return send(Phase::SentPassword, *password_, now);
      if (phase_ == Phase::SentUser)
        // Ctrl-C, so that the next attempt finds a login prompt.
        return fail("the guest asks for the password of \"" + printable(user_) + "\"",
                    "give one to login()", "\x03");
      if (phase_ == Phase::SentPassword)
        return fail("the guest asks again for the password of \"" + printable(user_) + "\"",
                    kCheckBoth, "\x03");
      break;
    case Prompt::None:
      break;
  }
  if (phase_ == Phase::Start) {
    wakeup_ = now + kNextNudge;
    return {0, "\n", false};
  }
  if (phase_ == Phase::SentUser && !answered_ && tries_ < kMaxTries)
    return send(Phase::SentUser, user_, now);
  return {};
}

Step Login::on_login_prompt(TimePoint now) {
  // A prompt that comes again before the name was echoed answers an empty line of ours.
  if (phase_ == Phase::Start || (phase_ == Phase::SentUser && !echoed_ && tries_ < kMaxTries))
    return send(Phase::SentUser, user_, now);
  return fail("the guest asks for a login again after that of \"" + printable(user_) + "\"",
              kCheckBoth);
}

Step Login::send(Phase phase, const std::string& line, TimePoint now) {
  phase_ = phase;
  if (phase == Phase::SentUser) ++tries_;
  answered_ = false;
  echoed_ = false;
  line_.clear();
  watch(now);
  return {0, line + "\n", false};
}

Step Login::succeed() {
  phase_ = Phase::Done;
  wakeup_.reset();
  return {0, {}, true};
}

Step Login::fail(std::string message, std::string hint, std::string bytes) {
  phase_ = Phase::Done;
  wakeup_.reset();
  outcome_ = error(ErrorCode::LoginFailed, "login: " + std::move(message), std::move(hint));
  return {0, std::move(bytes), true};
}

std::string Login::waiting_for() const {
  switch (phase_) {
    case Phase::Start:
      return "a login prompt or a shell at the console";
    case Phase::SentUser:
      return "an answer to the user's name";
    case Phase::SentPassword:
    case Phase::Done:
      break;
  }
  return "an answer to the password";
}

}  // namespace capsa::console
