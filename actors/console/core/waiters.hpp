#pragma once

#include <actors/console/core/conversation.hpp>
#include <actors/console/core/output_ring.hpp>
#include <actors/console/core/stream_pattern.hpp>
#include <array>
#include <capsa/console.hpp>
#include <capsa/result.hpp>
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace capsa::console {

/// Everybody who reads one console. There is one read position; who asks first is served first, and
/// until then those behind see nothing: a wait that is given up by cancel() moves nothing, so the
/// next one finds all that it would have found.
///
/// Of several patterns the one that is complete first in the stream wins; of several that end at
/// the same byte the one that stands first in the list.
///
/// Callbacks run inside the call that completes them, also inside the very call that queues them.
/// They may call every function here, but not destroy this object. Single-threaded.
class Waiters {
 public:
  using Id = std::uint64_t;
  using OnMatch = std::function<void(result<ConsoleMatch>)>;
  using OnEnd = std::function<void(result<void>)>;
  /// Is shown all that is there, in one or two pieces, and tells how many bytes of it are taken.
  using Take = std::function<std::size_t(std::array<std::string_view, 2>)>;
  using Send = std::function<void(std::string bytes)>;

  /// `send` takes what conversations write to the guest.
  explicit Waiters(Send send, std::size_t capacity = OutputRing::kDefaultCapacity);

  /// Bytes from the guest.
  void feed(std::string_view bytes, TimePoint now);

  /// Everything through the first match. InvalidConfig: no pattern, an empty one, or one longer
  /// than the ring, which could never be seen whole; `done` is not called then.
  result<Id> wait_for(std::string pattern, TimePoint now, OnMatch done);
  result<Id> wait_for_any(std::vector<std::string> patterns, TimePoint now, OnMatch done);
  /// What is there when its turn comes; may be empty.
  Id read_available(TimePoint now, OnMatch done);
  /// At least one byte and at most `max`; empty only once the VM has ended and all is read.
  Id read_some(std::size_t max, TimePoint now, OnMatch done);
  /// Shows `take` what is there once there is a byte and its turn comes; what it does not take
  /// stays for whoever is next. Once only. An empty first piece: the VM has ended and all is read.
  /// Not called where the wait ends otherwise.
  Id offer(TimePoint now, Take take);
  /// Gives the stream to `talk` when its turn comes. On success its result is in `talk`.
  Id converse(std::shared_ptr<Conversation> talk, TimePoint now, OnEnd done);

  /// Ends one waiter with `why` (a time-out, a caller that went away); a conversation that had
  /// begun sends its recovery(). False where the id is not waiting any more.
  bool cancel(Id id, const error& why, TimePoint now);
  /// The error for a deadline that passed: what was waited for, and the console's last lines.
  error timeout_error(Id id, std::chrono::milliseconds timeout) const;
  /// Ends all that wait now with `why`; the console goes on.
  void fail_all(const error& why);
  /// The VM ended (`why`: "the VM was stopped"). What is kept can still be read; a wait that it
  /// cannot satisfy ends with VmEnded and the last lines, now and later.
  void end(std::string_view why, TimePoint now);
  /// The VM boots again: the stream goes on behind what is kept.
  void reopen() { ended_.reset(); }

  /// When poke() is wanted next; ask again after every call.
  std::optional<TimePoint> wakeup() const;
  void poke(TimePoint now);

  std::size_t waiting() const noexcept { return queue_.size(); }
  const OutputRing& ring() const noexcept { return ring_; }

 private:
  struct Match {
    std::vector<StreamPattern> patterns;
    std::optional<std::uint64_t> scanned;  // offset up to which the patterns saw the stream
    OnMatch done;
  };
  struct Read {
    std::size_t max;
    bool wait;
    OnMatch done;
  };
  struct Offer {
    Take take;
  };
  struct Talk {
    std::shared_ptr<Conversation> talk;
    bool open = false;
    OnEnd done;
  };
  using Waiter = std::variant<Match, Read, Offer, Talk>;
  struct Entry {
    Id id;
    Waiter waiter;
  };

  /// A conversation's recovery that may have come too early.
  struct Aftermath {
    StreamPattern begun;
    std::string send;
  };

  Id push(Waiter waiter, TimePoint now);
  void recover(const Recovery& recovery);
  void watch_aftermaths(std::string_view bytes);
  void advance(TimePoint now);
  bool step(Match& match);
  bool step(Read& read);
  bool step(const Offer& offer);
  bool step(Talk& talk, TimePoint now);
  bool apply(const Step& step);
  void finish_front(ConsoleMatch match);
  static void fail(Waiter& waiter, const error& why);
  std::string describe(const Waiter& waiter) const;

  Send send_;
  OutputRing ring_;
  std::deque<Entry> queue_;
  std::deque<Aftermath> aftermaths_;
  Id next_id_ = 1;
  bool advancing_ = false;
  std::optional<error> ended_;
};

}  // namespace capsa::console
