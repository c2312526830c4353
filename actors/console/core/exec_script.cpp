#include <actors/console/core/exec_script.hpp>
#include <algorithm>
#include <random>

namespace capsa::console {

namespace {

constexpr std::size_t kLinePayload = 160;
constexpr std::size_t kLinesPerBatch = 10;

// Safe between single quotes for every shell and every line editor.
bool is_plain(unsigned char c) {
  return c >= 0x20 && c < 0x7f && c != '\'' && c != '\\' && c != '!';
}

// For printf's %b: a zero and three octal digits (POSIX.1-2017, printf).
std::string encode(std::string_view command) {
  std::string out;
  out.reserve(command.size() + command.size() / 4);
  for (const char raw : command) {
    const auto c = static_cast<unsigned char>(raw);
    if (is_plain(c)) {
      out += raw;
    } else {
      out += "\\0";
      out += static_cast<char>('0' + (c >> 6));
      out += static_cast<char>('0' + ((c >> 3) & 7));
      out += static_cast<char>('0' + (c & 7));
    }
  }
  return out;
}

}  // namespace

Nonce fresh_nonce() {
  std::random_device device;
  Nonce nonce;
  for (std::uint8_t& byte : nonce)
    byte = static_cast<std::uint8_t>(device());
  return nonce;
}

std::string ExecScript::head(std::string_view tag) const {
  return "capsa-" + std::string(tag) + "-" + head_;
}

std::string ExecScript::ack_marker(std::size_t batch) const {
  return marker("a" + std::to_string(batch));
}

// A line that prints one marker. The leading blank keeps it out of a history that honours
// HISTCONTROL=ignorespace; the parentheses keep the console's own positional parameters.
std::string ExecScript::say(std::string_view tag) const {
  return " (set -- " + tail_ + " " + head(tag) + R"sh(;printf '%s%s\n' "$2" "$1"))sh" + "\n";
}

// One line, because the command may read the terminal and would eat a second one. Within it:
// - the console's own -e, -v and -x are off, or the epilogue would not run, or be shown;
// - the outer subshell traps SIGINT and SIGQUIT, so that a Ctrl-C ends the command (an inner
//   subshell has the default action again) and not the line that reports its status;
// - nothing of ours is left for the command to see: the variable is unset, the parameters cleared.
std::string ExecScript::run_line() const {
  return std::string(R"sh( (set +evx;trap : 2 3;(set -- "$(printf %b "$__capsa")" )sh") + tail_ +
         " " + head("b") +
         R"sh(;unset __capsa;printf '%s%s\n' "$3" "$2";eval "set --;$1");set -- "$?" )sh" + tail_ +
         " " + head("e") + R"sh(;printf '%s%s:%s\n' "$3" "$2" "$1");unset __capsa)sh" + "\n";
}

result<ExecScript> ExecScript::make(std::string_view command, const Nonce& nonce) {
  if (command.find('\0') != std::string_view::npos)
    return error(ErrorCode::InvalidConfig, "exec: the command contains a NUL byte",
                 "a shell command cannot; write the byte as printf '\\0'");
  if (command.size() > kMaxCommand)
    return error(ErrorCode::InvalidConfig,
                 "exec: the command has " + std::to_string(command.size()) + " bytes, at most " +
                     std::to_string(kMaxCommand) + " are typed at a console",
                 "put it into a file of the guest, by the agent or a share");

  static constexpr char kHex[] = "0123456789abcdef";
  ExecScript script;
  for (std::size_t i = 0; i < nonce.size(); ++i) {
    std::string& half = i < nonce.size() / 2 ? script.head_ : script.tail_;
    half.append(1, kHex[nonce[i] >> 4]).append(1, kHex[nonce[i] & 15]);
  }
  // Ctrl-U and an empty line first: a half-typed line is thrown away, not run in front of ours.
  script.hello_ = "\x15\n" + script.say("h");

  const std::string encoded = encode(command);
  std::string batch = " __capsa=\n";
  std::size_t lines = 1;
  for (std::size_t at = 0; at < encoded.size(); at += kLinePayload) {
    if (lines == kLinesPerBatch) {
      script.batches_.push_back(batch + script.say("a" + std::to_string(script.batches_.size())));
      batch.clear();
      lines = 0;
    }
    batch += " __capsa=$__capsa'" + encoded.substr(at, kLinePayload) + "'\n";
    ++lines;
  }
  script.batches_.push_back(batch + script.run_line());
  return script;
}

}  // namespace capsa::console
