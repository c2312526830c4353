#include <boost/test/unit_test.hpp>
#include <functional>
#include <tests/unit/net/switch/bench.hpp>

namespace capsa::net::test {

namespace {

struct Judge final : Filter {
  using Call = std::function<FilterVerdict(Frame&)>;
  FilterVerdict on_ingress(Frame& frame, Time) override { return ingress(frame); }
  FilterVerdict on_egress(Frame& frame, Time) override { return egress(frame); }
  static FilterVerdict pass(Frame&) { return FilterVerdict::Pass; }
  Call ingress = pass;
  Call egress = pass;
};

struct Watcher final : FrameObserver {
  void observe(FrameDirection direction, const Frame& frame, Time) override {
    (direction == FrameDirection::Sent ? sent : received).push_back(bytes_of(frame));
  }
  std::vector<Bytes> sent, received;
};

const Bytes kToB = ethernet(mac(2), mac(1), 100);
const Bytes kAnswer = ethernet(mac(1), mac(99), 64, 7);

struct FilterBench : Bench {
  FilterBench()
      : a(add({.locked_mac = mac(1), .filter = &judge_a, .observer = &watcher_a})),
        b(add({.locked_mac = mac(2), .filter = &judge_b, .observer = &watcher_b})) {}
  Judge::Call answer() {
    return [this](Frame& frame) {
      frame = make_frame(*pool, kAnswer);
      return FilterVerdict::Answer;
    };
  }
  Judge judge_a, judge_b;
  Watcher watcher_a, watcher_b;
  PortId a, b;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(net_switch_filter)

BOOST_AUTO_TEST_CASE(a_filter_sees_its_own_port_and_may_change_frames) {
  FilterBench bench;
  int seen = 0;
  bench.judge_a.ingress = [&](Frame& frame) {
    ++seen;
    frame.bytes()[20] = std::byte{0xee};
    return FilterVerdict::Pass;
  };
  bench.judge_b.egress = [&](Frame& frame) {
    ++seen;
    BOOST_TEST((frame.bytes()[20] == std::byte{0xee}));
    frame.bytes()[21] = std::byte{0xdd};
    return FilterVerdict::Pass;
  };
  bench.judge_a.egress = bench.judge_b.ingress = [](Frame&) {
    BOOST_ERROR("a filter of the wrong side");
    return FilterVerdict::Drop;
  };
  bench.forward(bench.a, kToB);
  const auto got = bench.take(1);
  BOOST_REQUIRE(got.size() == 1U);
  BOOST_TEST((got[0][20] == std::byte{0xee} && got[0][21] == std::byte{0xdd}));
  BOOST_TEST(seen == 2);
  // What was sent, before anything was done to it, and what arrived.
  BOOST_TEST((bench.watcher_a.sent == Frames{kToB}));
  BOOST_TEST((bench.watcher_b.received == got));
}

BOOST_AUTO_TEST_CASE(what_is_dropped_is_counted_at_the_port_whose_filter_it_was) {
  FilterBench bench;
  bench.judge_b.egress = [](Frame&) { return FilterVerdict::Drop; };
  bench.forward(bench.a, kToB);
  BOOST_TEST(bench.dropped(bench.b, FrameDrop::Filtered) == 1U);
  BOOST_TEST(bench.watcher_b.received.empty());
  bench.judge_a.ingress = [](Frame&) { return FilterVerdict::Drop; };
  bench.forward(bench.a, kToB);
  BOOST_TEST(bench.dropped(bench.a, FrameDrop::Filtered) == 1U);
  BOOST_TEST(bench.watcher_a.sent.size() == 2U);
  BOOST_TEST(bench.take(1).empty());
  bench.net.set_filter(bench.a, nullptr);
  bench.net.set_filter(bench.b, nullptr);
  bench.forward(bench.a, kToB);
  BOOST_TEST(bench.take(1).size() == 1U);
}

BOOST_AUTO_TEST_CASE(an_answer_goes_back_to_the_sender_past_all_filters) {
  FilterBench bench;
  bench.judge_a.egress = [](Frame&) { return FilterVerdict::Drop; };
  bench.judge_a.ingress = bench.answer();
  bench.forward(bench.a, kToB);
  BOOST_TEST((bench.take(0) == Frames{kAnswer}));
  BOOST_TEST((bench.watcher_a.received == Frames{kAnswer}));
  BOOST_TEST(bench.net.stats(bench.a)->answers == 1U);
  // Also that of the receiver's filter.
  bench.judge_a.ingress = Judge::pass;
  bench.judge_b.egress = bench.answer();
  bench.forward(bench.a, kToB);
  BOOST_TEST((bench.take(0) == Frames{kAnswer}));
  BOOST_TEST(bench.take(1).empty());
  BOOST_TEST(bench.dropped(bench.b, FrameDrop::Filtered) == 1U);
  BOOST_TEST(bench.net.stats(bench.a)->answers == 2U);
}

BOOST_AUTO_TEST_CASE(a_filter_that_keeps_the_frame_has_dropped_it) {
  FilterBench bench;
  std::vector<Frame> kept;
  for (const FilterVerdict verdict : {FilterVerdict::Pass, FilterVerdict::Answer}) {
    bench.judge_a.ingress = bench.judge_b.egress = [&](Frame& frame) {
      kept.push_back(std::move(frame));
      return verdict;
    };
    bench.forward(bench.a, kToB);
    bench.judge_a.ingress = Judge::pass;
    bench.forward(bench.a, kToB);
  }
  BOOST_TEST(kept.size() == 4U);
  BOOST_TEST(bench.dropped(bench.a, FrameDrop::Filtered) == 2U);
  BOOST_TEST(bench.dropped(bench.b, FrameDrop::Filtered) == 2U);
  BOOST_TEST(bench.take(0).empty());
  BOOST_TEST(bench.take(1).empty());
}

BOOST_AUTO_TEST_CASE(each_receiver_of_a_flood_has_a_frame_of_its_own) {
  FilterBench bench;
  const PortId c = bench.add();
  bench.judge_b.egress = [&](Frame& frame) {
    frame.bytes()[20] = std::byte{0xee};
    return FilterVerdict::Pass;
  };
  const Bytes frame = ethernet(MacAddress::broadcast(), mac(1));
  bench.forward(bench.a, frame);
  BOOST_TEST((bench.take(1) != Frames{frame}));
  BOOST_TEST((bench.take(2) == Frames{frame}));
  bench.net.set_observer(c, &bench.watcher_a);
  bench.forward(bench.a, frame);
  BOOST_TEST((bench.watcher_a.received == Frames{frame}));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::net::test
