#pragma once

#include <actors/pool/core/pool_core.hpp>
#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

namespace capsa::test {

using namespace std::chrono_literals;
using namespace pool;
using Kind = PoolEvent::Kind;

/// A pool core whose time stands still until it is moved, and what it wants done, as text: one line
/// of it per action.
class PoolFixture {
 public:
  explicit PoolFixture(std::size_t size, std::size_t boots_at_once = 100, bool checks = false)
      : core({"p", size, boots_at_once, checks}) {
    core.open(now);
  }

  /// What has been wanted since the last call: "boot 1, boot 2".
  std::string wanted() {
    std::string out;
    for (const auto& action : core.take_actions())
      out += (out.empty() ? "" : ", ") + std::visit(Printer{}, action);
    return out;
  }
  /// Boots all members of a new pool, so that numbers 1 to `size` are idle.
  void build(std::size_t size) {
    for (MemberId id = 1; id <= size; ++id)
      core.booted(id, now);
    wanted();
  }
  void booted(MemberId id) { core.booted(id, now); }
  void gone(MemberId id) { core.gone(id, now); }
  void failed(MemberId id) { core.failed(id, error(ErrorCode::NotFound, "why"), now); }
  void reserve(WaiterId id) { core.reserve(id, std::nullopt, now); }
  void reserve_for(WaiterId id, std::chrono::nanoseconds time) {
    core.reserve(id, now + time, now);
  }
  void close() { core.close(error(ErrorCode::PoolShutdown, "closed")); }
  /// To the next moment at which the core wants to be poked; how long that takes. Fails where there
  /// is none.
  std::chrono::nanoseconds wait() {
    const auto next = core.wakeup();
    BOOST_TEST_REQUIRE(next.has_value());
    const auto took = *next - now;
    now = *next;
    core.poke(now);
    return took;
  }
  void pass(std::chrono::nanoseconds time) {
    now += time;
    core.poke(now);
  }

  TimePoint now = TimePoint() + 1h;
  PoolCore core;

 private:
  struct Printer {
    static std::string n(std::uint64_t id) { return std::to_string(id); }
    std::string operator()(const Boot& a) const { return "boot " + n(a.member); }
    std::string operator()(const Check& a) const { return "check " + n(a.member); }
    std::string operator()(const Destroy& a) const { return "destroy " + n(a.member); }
    std::string operator()(const Give& a) const {
      return "give " + n(a.member) + " to " + n(a.waiter);
    }
    std::string operator()(const Refuse& a) const {
      return "refuse " + n(a.waiter) + " " + std::string(to_string(a.why.code()));
    }
    std::string operator()(const Tell& a) const {
      return std::string(names[static_cast<std::size_t>(a.kind)]) + " " + n(a.member) + "/" +
             n(a.available);
    }
    std::string operator()(const Built& a) const {
      return a.failure ? "not built: " + std::string(to_string(a.failure->code())) : "built";
    }
    std::string operator()(const Closed&) const { return "closed"; }
    static constexpr const char* names[] = {"Available",    "Reserved",   "Destroyed",
                                            "RefillFailed", "MemberLost", "Shutdown"};
  };
};

}  // namespace capsa::test
