#include <actors/values/text.hpp>
#include <algorithm>
#include <capsa/kernel_command_line.hpp>
#include <ostream>

namespace capsa {
namespace {

// How the kernel reads its command line: next_arg() in lib/cmdline.c. Words are divided by blanks
// outside of double quotes, there is no escape for a quote, and what follows a word "--" goes to
// init.
constexpr std::string_view kInitArguments = "--";

/// isspace() of the kernel (lib/ctype.c), which counts the Latin-1 no-break space: one of the bytes
/// of many UTF-8 letters.
bool is_blank(char c) noexcept {
  return c == ' ' || (c >= '\t' && c <= '\r') || c == '\xa0';
}

bool has_blank(std::string_view text) noexcept {
  return std::any_of(text.begin(), text.end(), is_blank);
}

/// The kernel takes "-" and "_" in a parameter's name for the same (kernel/params.c, parameq()).
bool same_key(std::string_view a, std::string_view b) noexcept {
  const auto fold = [](char c) { return c == '-' ? '_' : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return fold(x) == fold(y); });
}

std::string_view key_of(std::string_view word) noexcept {
  return word.substr(0, word.find('='));
}

capsa::error refused(std::string what, std::string hint = {}) {
  return {ErrorCode::InvalidConfig, "kernel command line: " + std::move(what), std::move(hint)};
}

result<std::vector<std::string>> split_words(std::string_view line, std::string_view whose) {
  if (text::has_control_character(line)) {
    return refused(std::string(whose) + " " + text::quote(line) + " holds a control character",
                   "write it as one line with blanks between the words");
  }
  std::vector<std::string> words;
  std::string word;
  bool in_quotes = false;
  for (const char c : line) {
    if (is_blank(c) && !in_quotes) {
      if (!word.empty()) words.push_back(std::exchange(word, {}));
      continue;
    }
    if (c == '"') in_quotes = !in_quotes;
    word += c;
  }
  // An open quote would swallow what the transport needs.
  if (in_quotes) {
    return refused(std::string(whose) + " " + text::quote(line) + " has a quote that is not closed",
                   "close the quote");
  }
  if (!word.empty()) words.push_back(std::move(word));
  return words;
}

/// Without the quotes that the kernel takes out: those around the word, or around its value.
std::string_view unquoted(std::string_view text) noexcept {
  if (!text.starts_with('"')) return text;
  text.remove_prefix(1);
  if (text.ends_with('"')) text.remove_suffix(1);
  return text;
}

result<std::string> render_word(const std::string& key, const std::optional<std::string>& value) {
  if (key.empty()) return refused("an argument has an empty name", "name what shall be set");
  if (key.find_first_of("\"=") != std::string::npos || has_blank(key) ||
      text::has_control_character(key)) {
    return refused("the name " + text::quote(key) +
                       " holds a blank, a quote, an equals sign or a control character",
                   "add one argument per call, as a name and a value");
  }
  if (!value) return key;
  if (value->find('"') != std::string::npos || text::has_control_character(*value)) {
    return refused("the value " + text::quote(*value) + " of " + text::quote(key) +
                       " holds a quote or a control character, which the kernel has no way to read",
                   "leave it out");
  }
  if (has_blank(*value)) return key + "=\"" + *value + '"';
  return key + '=' + *value;
}

/// The word takes the place of the first with its key; the others with that key go.
void put(std::vector<std::string>& words, std::string word) {
  const auto end = std::find(words.begin(), words.end(), kInitArguments);
  const auto same = [key = key_of(word)](const std::string& other) {
    return same_key(key_of(other), key);
  };
  const auto first = end == words.end() ? std::find_if(words.begin(), end, same) : end;
  if (first == words.end() || end != words.end()) {
    words.push_back(std::move(word));
    return;
  }
  words.erase(std::remove_if(first + 1, words.end(), same), words.end());
  *first = std::move(word);
}

}  // namespace

void KernelCommandLine::set(std::string key, std::string value) {
  // After "--" come init's own arguments, which may repeat.
  const auto init = [](const Argument& a) { return a.key == kInitArguments && !a.value; };
  const auto same = [&](const Argument& a) { return same_key(a.key, key); };
  const bool for_init = std::any_of(arguments_.begin(), arguments_.end(), init);
  const auto earlier =
      for_init ? arguments_.end() : std::find_if(arguments_.begin(), arguments_.end(), same);
  if (earlier == arguments_.end()) {
    arguments_.push_back({std::move(key), std::move(value)});
  } else {
    *earlier = {std::move(key), std::move(value)};
  }
}

void KernelCommandLine::add_flag(std::string flag) {
  if (const auto equals = flag.find('='); equals != std::string::npos) {
    set(flag.substr(0, equals), flag.substr(equals + 1));
    return;
  }
  std::string key = flag;
  set(std::move(key), {});
  const auto added = std::find_if(arguments_.rbegin(), arguments_.rend(),
                                  [&](const Argument& a) { return same_key(a.key, flag); });
  added->value.reset();
}

result<KernelCommandLine> KernelCommandLine::parse(std::string_view line) {
  // What /proc/cmdline and files end with.
  while (line.ends_with('\n'))
    line.remove_suffix(1);
  const auto words = split_words(line, "the line");
  if (!words) return words.error();
  KernelCommandLine out;
  for (const auto& each : *words) {
    const auto word = unquoted(each);
    const auto equals = word.find('=');
    const std::string key(word.substr(0, equals));
    std::optional<std::string> value;
    if (equals != std::string_view::npos) value.emplace(unquoted(word.substr(equals + 1)));
    if (const auto again = render_word(key, value); !again) return again.error();
    if (value)
      out.set(key, std::move(*value));
    else
      out.add_flag(key);
  }
  return out;
}

std::string to_string(const KernelCommandLine& line) {
  if (line.override_)
    return split_words(*line.override_, {}) ? *line.override_ : text::quote(*line.override_);
  std::string out;
  for (const auto& [key, value] : line.arguments_) {
    if (!out.empty()) out += ' ';
    const auto word = render_word(key, value);
    out += word ? *word : text::quote(key + (value ? '=' + *value : std::string()));
  }
  return out;
}

std::ostream& operator<<(std::ostream& out, const KernelCommandLine& line) {
  return out << to_string(line);
}

result<std::string> KernelCommandLine::render(std::string_view defaults,
                                              std::string_view transport) const {
  auto words = override_ ? split_words(*override_, "the override")
                         : split_words(defaults, "the backend's part");
  if (!words) return words.error();
  if (!override_) {
    for (const auto& [key, value] : arguments_) {
      auto word = render_word(key, value);
      if (!word) return word;
      put(*words, *std::move(word));
    }
  }
  const auto needed = split_words(transport, "the transport's part");
  if (!needed) return needed.error();
  words->insert(std::find(words->begin(), words->end(), kInitArguments), needed->begin(),
                needed->end());

  std::string line;
  for (const auto& word : *words) {
    if (!line.empty()) line += ' ';
    line += word;
  }
  if (line.size() > kMaxLength) {
    return refused("it has " + std::to_string(line.size()) + " bytes; the kernel reads at most " +
                       std::to_string(kMaxLength),
                   "shorten the arguments, or hand them to the guest in a file");
  }
  return line;
}

}  // namespace capsa
