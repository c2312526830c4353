#pragma once

#include <actors/pool/core/actions.hpp>
#include <capsa/pool.hpp>
#include <chrono>
#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace capsa::pool {

using TimePoint = std::chrono::steady_clock::time_point;
using std::chrono::nanoseconds;

/// After a VM that did not come up; doubled each time in turn.
inline constexpr std::chrono::milliseconds kFirstDelay{100};
inline constexpr std::chrono::seconds kLongestDelay{30};
/// An agent under emulation, with many machines on few cores, may take three minutes, and then its
/// VM says so by itself, with its kernel's last lines.
inline constexpr std::chrono::minutes kBootLimit{5};
/// A VM that dies sooner than this is no better than one that did not come up.
inline constexpr std::chrono::seconds kSettled{10};
inline constexpr std::chrono::seconds kCheckInterval{30};

struct PoolOptions {
  std::string name;
  std::size_t size = 1;
  std::size_t boots_at_once = 1;
  bool checks = false;  ///< whether members have an agent that can be asked
};

/// The members of a pool and those who wait for one. Each member is at one place of its life:
///
///   booting → idle → reserved → ending → gone
///
/// or goes to its end from any of them. As many as were asked for are there, those that are ending
/// included, so that what is left of one never competes with its successor for what it holds.
/// Whoever calls takes the actions afterwards and carries them out; each is said once. Reports on
/// members that are somewhere else by now are ignored. Single-threaded.
class PoolCore {
 public:
  explicit PoolCore(PoolOptions options) : options_(std::move(options)) {}

  /// Begins to boot. Built follows.
  void open(TimePoint now);

  // -- what is asked
  /// Gives one now or in turn; no deadline: waits for ever. One that has passed only looks.
  void reserve(WaiterId waiter, std::optional<TimePoint> deadline, TimePoint now);
  /// One that is available now, past nobody.
  void try_reserve(WaiterId waiter, TimePoint now);
  /// No member is given and none booted any more; `why` is what waiters are told. Closed follows.
  /// Idempotent.
  void close(const error& why);

  // -- what is reported on members
  /// It has answered.
  void booted(MemberId member, TimePoint now);
  /// It did not come up, has ended by itself, or does not answer any more. For a reserved member
  /// this is its holder's affair.
  void failed(MemberId member, const error& why, TimePoint now);
  /// It answered a check.
  void checked(MemberId member);
  /// Nothing of it is left.
  void gone(MemberId member, TimePoint now);

  /// When poke() is wanted next; ask again after every call.
  std::optional<TimePoint> wakeup() const;
  void poke(TimePoint now);

  std::vector<Action> take_actions() { return std::exchange(actions_, {}); }
  std::size_t available() const noexcept { return idle_.size(); }
  std::size_t waiting() const noexcept { return waiters_.size(); }
  bool closing() const noexcept { return closing_.has_value(); }

 private:
  enum class Place : std::uint8_t { Booting, Idle, Reserved, Ending };
  struct Member {
    Place place = Place::Booting;
    TimePoint since;  ///< when it came there
    bool checking = false;
  };
  struct Waiter {
    WaiterId id;
    std::optional<TimePoint> deadline;
  };

  Member* at(MemberId member, Place place);
  void fill(TimePoint now);
  void serve(TimePoint now);
  void give(WaiterId waiter, TimePoint now);
  void end(MemberId id, Member& member);
  void set_back(unsigned& setbacks, TimePoint now);
  void expire(TimePoint now);
  void check(TimePoint now);
  void refuse_all(const error& why);
  void finish();
  std::size_t booting() const;
  void tell(PoolEvent::Kind kind, MemberId member, std::string cause = {});

  PoolOptions options_;
  std::map<MemberId, Member> members_;
  std::deque<MemberId> idle_;  // who has been available for longest is first
  std::deque<Waiter> waiters_;
  std::vector<Action> actions_;
  MemberId next_member_ = 1;
  bool built_ = false;                  // all were there once, or one has failed before that
  std::optional<error> build_failure_;  // told when nothing is left
  std::optional<error> closing_;
  bool closed_ = false;
  unsigned failures_ = 0;              // of boots, one after the other
  unsigned early_ends_ = 0;            // of members that had just come up
  std::optional<TimePoint> retry_at_;  // no boot begins before
  std::optional<TimePoint> next_check_;
};

}  // namespace capsa::pool
