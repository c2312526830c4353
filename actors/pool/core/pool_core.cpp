#include <actors/pool/core/pool_core.hpp>

#include <algorithm>

namespace capsa::pool {

namespace {

/// A tenth of a second, doubled each time in turn.
nanoseconds delay_after(unsigned setbacks) {
  constexpr unsigned kDoublings = 9;  // beyond that it is the longest one anyway
  const nanoseconds delay = kFirstDelay * (1U << std::min(setbacks - 1, kDoublings));
  return std::min<nanoseconds>(delay, kLongestDelay);
}

template <class T>
void keep_earlier(std::optional<T>& best, const std::optional<T>& one) {
  if (one && (!best || *one < *best)) best = one;
}

}  // namespace

void PoolCore::open(TimePoint now) {
  fill(now);
}

PoolCore::Member* PoolCore::at(MemberId member, Place place) {
  const auto it = members_.find(member);
  return it != members_.end() && it->second.place == place ? &it->second : nullptr;
}

std::size_t PoolCore::booting() const {
  return static_cast<std::size_t>(
      std::count_if(members_.begin(), members_.end(),
                    [](const auto& one) { return one.second.place == Place::Booting; }));
}

void PoolCore::tell(PoolEvent::Kind kind, MemberId member, std::string cause) {
  actions_.push_back(Tell{kind, member, std::move(cause), idle_.size()});
}

// -- members

void PoolCore::fill(TimePoint now) {
  if (closing_ || build_failure_) return;
  if (retry_at_ && *retry_at_ > now) return;
  retry_at_.reset();
  // While it is not known whether what failed is mended, one at a time tries.
  const bool trying = failures_ + early_ends_ != 0;
  const std::size_t most = trying ? 1 : options_.boots_at_once;
  for (auto n = booting(); n < most && members_.size() < options_.size; ++n) {
    const auto id = next_member_++;
    members_[id].since = now;
    actions_.push_back(Boot{id});
  }
}

void PoolCore::booted(MemberId id, TimePoint now) {
  auto* member = at(id, Place::Booting);
  if (member == nullptr) return;
  member->place = Place::Idle;
  member->since = now;
  idle_.push_back(id);
  failures_ = 0;
  if (options_.checks && !next_check_) next_check_ = now + kCheckInterval;
  tell(PoolEvent::Kind::Available, id);
  if (!built_ && idle_.size() == options_.size) {
    built_ = true;
    actions_.push_back(Built{});
  }
  expire(now);
  serve(now);
  fill(now);
}

void PoolCore::set_back(unsigned& setbacks, TimePoint now) {
  // What began before the last setback is no new trial.
  if (retry_at_ && *retry_at_ > now) return;
  ++setbacks;
  retry_at_ = now + delay_after(std::max(failures_, early_ends_));
}

void PoolCore::failed(MemberId id, const error& why, TimePoint now) {
  const auto it = members_.find(id);
  if (it == members_.end()) return;
  auto& member = it->second;
  if (member.place == Place::Booting) {
    end(id, member);
    if (closing_ || build_failure_) return;
    if (!built_) {
      build_failure_ = why;
      for (auto& [other, its] : members_)
        if (its.place != Place::Ending) end(other, its);
      return;
    }
    set_back(failures_, now);
    tell(PoolEvent::Kind::RefillFailed, id, why.message());
  } else if (member.place == Place::Idle) {
    const bool early = now - member.since < kSettled;
    end(id, member);
    tell(PoolEvent::Kind::MemberLost, id, why.message());
    if (early) set_back(early_ends_, now);
  }
}

void PoolCore::end(MemberId id, Member& member) {
  if (member.place == Place::Idle) std::erase(idle_, id);
  member.place = Place::Ending;
  actions_.push_back(Destroy{id});
}

void PoolCore::gone(MemberId id, TimePoint now) {
  const auto it = members_.find(id);
  if (it == members_.end()) return;
  // One that ended before anybody said why.
  if (it->second.place == Place::Booting || it->second.place == Place::Idle)
    failed(id, error(ErrorCode::VmEnded, "the VM has ended"), now);
  const bool was_reserved = it->second.place == Place::Reserved;
  members_.erase(it);
  if (was_reserved) tell(PoolEvent::Kind::Destroyed, id);
  finish();
  fill(now);
}

// -- those who wait

void PoolCore::reserve(WaiterId waiter, std::optional<TimePoint> deadline, TimePoint now) {
  if (closing_) {
    actions_.push_back(Refuse{waiter, *closing_});
    return;
  }
  // Whose deadline has passed takes nothing, though nobody has told it so yet; but the newcomer
  // looks once, whatever its own.
  expire(now);
  waiters_.push_back({waiter, deadline});
  serve(now);
  expire(now);
}

void PoolCore::try_reserve(WaiterId waiter, TimePoint now) {
  if (closing_) {
    actions_.push_back(Refuse{waiter, *closing_});
  } else if (idle_.empty()) {
    actions_.push_back(
        Refuse{waiter, error(ErrorCode::ResourceExhausted,
                             "no VM of pool \"" + options_.name + "\" is available now",
                             "use reserve() to wait for one, or build a larger pool")});
  } else {
    // Nobody waits while one is available.
    give(waiter, now);
  }
}

void PoolCore::give(WaiterId waiter, TimePoint now) {
  const auto id = idle_.front();
  idle_.pop_front();
  auto& member = members_[id];
  member.place = Place::Reserved;
  member.since = now;
  early_ends_ = 0;
  actions_.push_back(Give{waiter, id});
  tell(PoolEvent::Kind::Reserved, id);
}

void PoolCore::serve(TimePoint now) {
  while (!waiters_.empty() && !idle_.empty()) {
    const auto id = waiters_.front().id;
    waiters_.pop_front();
    give(id, now);
  }
}

void PoolCore::expire(TimePoint now) {
  std::erase_if(waiters_, [&](const Waiter& one) {
    if (!one.deadline || *one.deadline > now) return false;
    actions_.push_back(
        Refuse{one.id, error(ErrorCode::Timeout,
                             "no VM of pool \"" + options_.name + "\" became available in time",
                             "wait longer, give VMs back sooner, or build a larger pool")});
    return true;
  });
}

void PoolCore::refuse_all(const error& why) {
  for (const auto& one : std::exchange(waiters_, {}))
    actions_.push_back(Refuse{one.id, why});
}

// -- the end

void PoolCore::close(const error& why) {
  if (closing_) return;
  closing_ = why;
  refuse_all(why);
  for (auto& [id, member] : members_)
    if (member.place == Place::Booting || member.place == Place::Idle) end(id, member);
  finish();
}

void PoolCore::finish() {
  const bool any_left = std::any_of(members_.begin(), members_.end(), [](const auto& one) {
    return one.second.place != Place::Reserved;
  });
  if (any_left) return;
  if (!built_ && (build_failure_ || closing_)) {
    built_ = true;
    actions_.push_back(Built{build_failure_ ? build_failure_ : closing_});
  }
  if (!closing_ || std::exchange(closed_, true)) return;
  tell(PoolEvent::Kind::Shutdown, 0, closing_->message());
  actions_.push_back(Closed{});
}

// -- time

void PoolCore::check(TimePoint now) {
  if (!next_check_ || *next_check_ > now) return;
  next_check_.reset();
  for (auto& [id, member] : members_) {
    if (member.place != Place::Idle) continue;
    next_check_ = now + kCheckInterval;
    if (!std::exchange(member.checking, true)) actions_.push_back(Check{id});
  }
}

void PoolCore::checked(MemberId id) {
  auto* member = at(id, Place::Idle);
  if (member == nullptr) return;
  member->checking = false;
  early_ends_ = 0;
}

std::optional<TimePoint> PoolCore::wakeup() const {
  std::optional<TimePoint> next;
  for (const auto& one : waiters_)
    keep_earlier(next, one.deadline);
  for (const auto& [id, member] : members_)
    if (member.place == Place::Booting) keep_earlier<TimePoint>(next, member.since + kBootLimit);
  if (closing_) return next;
  if (members_.size() < options_.size) keep_earlier(next, retry_at_);
  keep_earlier(next, next_check_);
  return next;
}

void PoolCore::poke(TimePoint now) {
  expire(now);
  for (const auto& [id, member] : members_)
    if (member.place == Place::Booting && now - member.since >= kBootLimit)
      failed(id, error(ErrorCode::Timeout, "the VM did not answer within five minutes"), now);
  if (closing_) return;
  check(now);
  fill(now);
}

}  // namespace capsa::pool
