#include <algorithm>
#include <backends/qemu/qmp.hpp>

namespace capsa::qemu {
namespace {

using nlohmann::json;

// QEMU's descriptions are a sentence; a longer one is not worth more of our memory.
constexpr std::size_t kMaxDescription = 1024;

error malformed(std::string what) {
  return {ErrorCode::BackendFailed, "QEMU sent malformed QMP: " + std::move(what)};
}

// Whether brackets nest no deeper than the cap, before a parser spends memory on them.
bool is_shallow(std::string_view line) {
  std::size_t depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quoted) {
      if (c == '\\')
        ++i;
      else if (c == '"')
        quoted = false;
      continue;
    }
    if (c == '"') quoted = true;
    if ((c == '{' || c == '[') && ++depth > QmpSession::kMaxDepth) return false;
    if ((c == '}' || c == ']') && depth > 0) --depth;
  }
  return true;
}

std::string text_of(const json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) return {};
  const auto* text = found->get_ptr<const std::string*>();
  return text == nullptr ? std::string() : text->substr(0, kMaxDescription);
}

}  // namespace

QmpSession::QmpSession(EventHandler on_event) : on_event_(std::move(on_event)) {
  pending_.emplace(0, Pending{"qmp_capabilities", nullptr});
  send("qmp_capabilities", nullptr, 0);
}

result<void> QmpSession::feed(std::string_view bytes) {
  while (!failure_ && !bytes.empty()) {
    const auto end = bytes.find('\n');
    const auto piece = bytes.substr(0, end);
    if (line_.size() + piece.size() > kMaxLine) {
      close(malformed("a line is longer than 1 MiB"));
      break;
    }
    line_.append(piece);
    if (end == std::string_view::npos) break;
    bytes.remove_prefix(end + 1);
    const std::string line = std::exchange(line_, {});
    if (auto taken = take_line(line); !taken) close(taken.error());
  }
  if (failure_) return *failure_;
  return {};
}

result<void> QmpSession::take_line(std::string_view line) {
  if (line.find_first_not_of(" \t\r") == std::string_view::npos) return {};
  if (!is_shallow(line)) return malformed("a message nests too deep");
  const json message = json::parse(line.begin(), line.end(), nullptr, false);
  if (message.is_discarded()) return malformed("a line is not JSON");
  if (!message.is_object()) return malformed("a message is not an object");
  if (state_ == State::Greeting) return take_greeting(message);
  if (message.contains("event")) return take_event(message);
  return take_reply(message);
}

result<void> QmpSession::take_greeting(const json& message) {
  const auto greeting = message.find("QMP");
  if (greeting == message.end() || !greeting->is_object())
    return malformed("the first message is no greeting");
  state_ = State::Negotiating;
  return {};
}

result<void> QmpSession::take_event(const json& message) {
  QmpEvent event{text_of(message, "event"), json::object()};
  if (event.name.empty()) return malformed("an event without a name");
  if (const auto data = message.find("data"); data != message.end()) {
    if (!data->is_object()) return malformed("the data of an event are not an object");
    event.data = *data;
  }
  if (on_event_) on_event_(event);
  return {};
}

result<void> QmpSession::take_reply(const json& message) {
  const auto id = message.find("id");
  const auto* number =
      id == message.end() ? nullptr : id->get_ptr<const json::number_unsigned_t*>();
  const auto value = message.find("return");
  const auto refusal = message.find("error");
  if (number == nullptr) {
    // Only what QEMU could not even parse is answered without an id: our own bytes, then.
    if (refusal != message.end() && refusal->is_object())
      return malformed("a reply to nothing: " + text_of(*refusal, "desc"));
    return malformed("a message that is neither greeting, reply nor event");
  }
  const auto entry = pending_.find(*number);
  if (entry == pending_.end()) return malformed("a reply to a command that was not sent");
  const bool refused = refusal != message.end() && refusal->is_object();
  // Before the entry goes: whatever ends the session, every command is answered.
  if (value == message.end() && !refused)
    return malformed("a reply with neither a value nor an error");
  const Pending pending = std::move(entry->second);
  pending_.erase(entry);

  if (value != message.end()) {
    if (*number == 0) state_ = State::Ready;
    if (pending.done) pending.done(result<json>(*value));
    return {};
  }
  error failure(ErrorCode::BackendFailed,
                "QEMU refused " + pending.name + ": " + text_of(*refusal, "desc"));
  if (*number == 0) return failure;
  if (pending.done) pending.done(std::move(failure));
  return {};
}

void QmpSession::command(std::string_view name, json arguments, Reply done) {
  if (failure_) {
    if (done) done(*failure_);
    return;
  }
  const std::uint64_t id = next_id_++;
  pending_.emplace(id, Pending{std::string(name), std::move(done)});
  send(name, std::move(arguments), id);
}

void QmpSession::send(std::string_view name, json arguments, std::uint64_t id) {
  json message{{"execute", name}, {"id", id}};
  if (!arguments.is_null()) message["arguments"] = std::move(arguments);
  output_ += message.dump(-1, ' ', false, json::error_handler_t::replace);
  output_ += '\n';
}

void QmpSession::close(const error& why) {
  if (failure_) return;
  failure_ = why;
  line_.clear();
  // Taken out first: a callback may issue the next command, which is then refused at once.
  const auto pending = std::exchange(pending_, {});
  for (const auto& [id, one] : pending) {
    if (one.done) one.done(*failure_);
  }
}

}  // namespace capsa::qemu
