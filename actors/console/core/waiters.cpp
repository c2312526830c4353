#include <actors/console/core/text.hpp>
#include <actors/console/core/waiters.hpp>
#include <algorithm>
#include <utility>

namespace capsa::console {

namespace {

constexpr std::size_t kLinesInErrors = 10;
constexpr std::size_t kMaxAftermaths = 8;  // the oldest make way: most of them never come
constexpr std::size_t kTailBytes = 4096;  // longer than any prompt; a conversation looks no further

std::string with_last_lines(std::string message, const OutputRing& ring) {
  const std::string lines = ring.last_lines(kLinesInErrors);
  if (lines.empty()) return message + "; the console is empty";
  return message + "; the console's last lines:\n" + lines;
}

}  // namespace

Waiters::Waiters(Send send, std::size_t capacity) : send_(std::move(send)), ring_(capacity) {}

void Waiters::feed(std::string_view bytes, TimePoint now) {
  // In pieces of half a ring, so that a reader that keeps up loses nothing to one large burst.
  const std::size_t piece = std::max<std::size_t>(ring_.capacity() / 2, 1);
  while (!bytes.empty()) {
    ring_.append(bytes.substr(0, piece));
    watch_aftermaths(bytes.substr(0, piece));
    bytes.remove_prefix(std::min(piece, bytes.size()));
    advance(now);
  }
}

result<Waiters::Id> Waiters::wait_for(std::string pattern, TimePoint now, OnMatch done) {
  std::vector<std::string> one;
  one.push_back(std::move(pattern));
  return wait_for_any(std::move(one), now, std::move(done));
}

result<Waiters::Id> Waiters::wait_for_any(std::vector<std::string> patterns, TimePoint now,
                                          OnMatch done) {
  if (patterns.empty())
    return error(ErrorCode::InvalidConfig, "wait_for_any: no pattern was given",
                 "give at least one");
  Match match{{}, std::nullopt, std::move(done)};
  for (std::string& pattern : patterns) {
    if (pattern.empty())
      return error(ErrorCode::InvalidConfig, "a console pattern is empty",
                   "give at least one byte; read_available() gives what is there");
    if (pattern.size() > ring_.capacity())
      return error(ErrorCode::InvalidConfig,
                   "a console pattern of " + std::to_string(pattern.size()) +
                       " bytes is longer than the console's buffer of " +
                       std::to_string(ring_.capacity()),
                   "wait for its end only");
    match.patterns.emplace_back(std::move(pattern));
  }
  return push(std::move(match), now);
}

Waiters::Id Waiters::read_available(TimePoint now, OnMatch done) {
  return push(Read{ring_.capacity(), false, std::move(done)}, now);
}

Waiters::Id Waiters::read_some(std::size_t max, TimePoint now, OnMatch done) {
  return push(Read{std::max<std::size_t>(max, 1), true, std::move(done)}, now);
}

Waiters::Id Waiters::offer(TimePoint now, Take take) {
  return push(Offer{std::move(take)}, now);
}

Waiters::Id Waiters::converse(std::shared_ptr<Conversation> talk, TimePoint now, OnEnd done) {
  return push(Talk{std::move(talk), false, std::move(done)}, now);
}

Waiters::Id Waiters::push(Waiter waiter, TimePoint now) {
  const Id id = next_id_++;
  queue_.push_back({id, std::move(waiter)});
  advance(now);
  return id;
}

bool Waiters::cancel(Id id, const error& why, TimePoint now) {
  const auto found =
      std::find_if(queue_.begin(), queue_.end(), [id](const Entry& e) { return e.id == id; });
  if (found == queue_.end()) return false;
  Waiter waiter = std::move(found->waiter);
  queue_.erase(found);
  if (const Talk* talk = std::get_if<Talk>(&waiter); talk && talk->open)
    recover(talk->talk->recovery());
  fail(waiter, why);
  advance(now);
  return true;
}

void Waiters::recover(const Recovery& recovery) {
  if (recovery.send.empty()) return;
  if (!recovery.again_after.empty()) {
    if (aftermaths_.size() == kMaxAftermaths) aftermaths_.pop_front();
    aftermaths_.push_back({StreamPattern(recovery.again_after), recovery.send});
  }
  send_(recovery.send);
}

void Waiters::watch_aftermaths(std::string_view bytes) {
  std::string send;
  std::erase_if(aftermaths_, [&](Aftermath& aftermath) {
    if (aftermath.begun.feed(bytes) == StreamPattern::npos) return false;
    send = std::move(aftermath.send);
    return true;
  });
  if (!send.empty()) send_(std::move(send));
}

void Waiters::fail_all(const error& why) {
  std::deque<Entry> all = std::exchange(queue_, {});
  for (Entry& entry : all)
    fail(entry.waiter, why);
}

void Waiters::end(std::string_view why, TimePoint now) {
  ended_.emplace(ErrorCode::VmEnded, with_last_lines(std::string(why), ring_));
  aftermaths_.clear();
  advance(now);
}

std::optional<TimePoint> Waiters::wakeup() const {
  if (queue_.empty()) return std::nullopt;
  const Talk* talk = std::get_if<Talk>(&queue_.front().waiter);
  return talk && talk->open ? talk->talk->wakeup() : std::nullopt;
}

void Waiters::poke(TimePoint now) {
  const auto due = wakeup();
  if (!due || *due > now) return;
  const auto talk = std::get<Talk>(queue_.front().waiter).talk;
  apply(talk->poke(now));
  advance(now);
}

// Callbacks and send_ may call back into this object: an inner call only queues or appends, and
// this loop, which looks at the queue anew each time round, does the rest.
void Waiters::advance(TimePoint now) {
  if (std::exchange(advancing_, true)) return;
  while (!queue_.empty()) {
    const Id id = queue_.front().id;
    Waiter& front = queue_.front().waiter;
    const bool moved = std::holds_alternative<Match>(front)   ? step(std::get<Match>(front))
                       : std::holds_alternative<Read>(front)  ? step(std::get<Read>(front))
                       : std::holds_alternative<Offer>(front) ? step(std::get<Offer>(front))
                                                              : step(std::get<Talk>(front), now);
    if (moved) continue;
    if (!ended_ || queue_.empty() || queue_.front().id != id) break;
    Waiter waiter = std::move(queue_.front().waiter);
    queue_.pop_front();
    fail(waiter, *ended_);
  }
  advancing_ = false;
}

bool Waiters::step(Match& match) {
  if (!match.scanned) match.scanned = ring_.position();
  if (*match.scanned < ring_.begin()) {
    // Bytes went by unseen: a match begun before the gap would not be one.
    for (StreamPattern& pattern : match.patterns)
      pattern.reset();
    match.scanned = ring_.begin();
  }
  std::uint64_t at = *match.scanned;
  for (const std::string_view piece : ring_.view(at, ring_.end())) {
    std::size_t best = piece.size() + 1;
    std::size_t which = 0;
    for (std::size_t i = 0; i < match.patterns.size(); ++i) {
      const std::size_t stop = match.patterns[i].feed(piece.substr(0, best - 1));
      if (stop == StreamPattern::npos) continue;
      best = stop;
      which = i;
    }
    if (best <= piece.size()) {
      const std::uint64_t from = ring_.position();
      ring_.read_to(at + best);
      finish_front({ring_.copy(from, at + best), which, 0});
      return true;
    }
    at += piece.size();
  }
  match.scanned = at;
  return false;
}

bool Waiters::step(Read& read) {
  const std::uint64_t from = ring_.position();
  if (from == ring_.end() && read.wait && !ended_) return false;
  const std::uint64_t to = from + std::min<std::uint64_t>(read.max, ring_.end() - from);
  ring_.read_to(to);
  finish_front({ring_.copy(from, to), 0, 0});
  return true;
}

bool Waiters::step(const Offer& offer) {
  const std::uint64_t from = ring_.position();
  if (from == ring_.end() && !ended_) return false;
  const Take take = offer.take;
  queue_.pop_front();
  ring_.read_to(from + take(ring_.view(from, ring_.end())));
  return true;
}

void Waiters::finish_front(ConsoleMatch match) {
  match.lost = ring_.take_lost();
  Waiter waiter = std::move(queue_.front().waiter);
  queue_.pop_front();
  const OnMatch& done = std::holds_alternative<Match>(waiter) ? std::get<Match>(waiter).done
                                                              : std::get<Read>(waiter).done;
  done(std::move(match));
}

bool Waiters::step(Talk& talk, TimePoint now) {
  const auto conversation = talk.talk;  // send_ may end it
  if (!talk.open) {
    if (ended_) return false;
    talk.open = true;
    const std::uint64_t end = ring_.end();
    const std::string tail = ring_.copy(end - std::min<std::uint64_t>(end, kTailBytes), end);
    ring_.read_to(end);
    ring_.take_lost();  // dropped with the rest that nobody read; lost_total() still tells
    return apply(conversation->open(tail, now));
  }
  const std::string_view bytes = ring_.view(ring_.position(), ring_.end())[0];
  if (bytes.empty()) return false;
  const Step step = conversation->feed(bytes, now);
  ring_.read_to(ring_.position() + (step.done ? std::min(step.taken, bytes.size()) : bytes.size()));
  return apply(step);
}

// True: there may be more to do, advance() goes on.
bool Waiters::apply(const Step& step) {
  const Id id = queue_.front().id;
  // Sending may call back into this object and end the conversation.
  if (!step.send.empty()) send_(step.send);
  if (step.done && !queue_.empty() && queue_.front().id == id) {
    const Talk ended = std::move(std::get<Talk>(queue_.front().waiter));
    queue_.pop_front();
    ended.done({});
  }
  return true;
}

void Waiters::fail(Waiter& waiter, const error& why) {
  if (Talk* talk = std::get_if<Talk>(&waiter))
    talk->done(why);
  else if (Match* match = std::get_if<Match>(&waiter))
    match->done(why);
  else if (Read* read = std::get_if<Read>(&waiter))
    read->done(why);
}

std::string Waiters::describe(const Waiter& waiter) const {
  if (const Talk* talk = std::get_if<Talk>(&waiter))
    return talk->open ? talk->talk->waiting_for() : "its turn on the console";
  const Match* match = std::get_if<Match>(&waiter);
  if (!match) return "output on the console";
  std::string out;
  for (const StreamPattern& pattern : match->patterns)
    out.append(out.empty() ? "\"" : " or \"").append(printable(pattern.bytes())).append("\"");
  return out;
}

error Waiters::timeout_error(Id id, std::chrono::milliseconds timeout) const {
  const auto found =
      std::find_if(queue_.begin(), queue_.end(), [id](const Entry& e) { return e.id == id; });
  std::string message = "waited " + std::to_string(timeout.count()) + " ms for " +
                        (found == queue_.end() ? "the console" : describe(found->waiter));
  return {ErrorCode::Timeout, with_last_lines(std::move(message), ring_)};
}

}  // namespace capsa::console
