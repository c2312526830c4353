#include <tools/benchmarks/net_wires.hpp>

#include <actors/loop/loop_actor.hpp>
#include <actors/network/net_switch.hpp>
#include <actors/protocol/defaults.hpp>
#include <actors/runtime/runtime_impl.hpp>
#include <tools/benchmarks/net_frames.hpp>
#include <tools/benchmarks/samples.hpp>

#include <cstdio>
#include <future>

namespace capsa::bench {

namespace {

using Clock = std::chrono::steady_clock;

/// What the end of a wire does, on its loop.
struct EndPlan {
  std::function<void(network::Wire&)> plugged;
  std::function<void(network::Wire&, net::FrameBatch)> frames;
};

/// The end of a wire, where a VM has its card.
class EndState {
 public:
  static constexpr const char* name = "capsa.bench.wire_end";
  using Self = protocol::WireEndActor::base*;

  EndState(Self self, loop::EpollLoop&, protocol::WireId wire, net::MacAddress mac,
           protocol::SwitchUnit to, EndPlan plan)
      : wire_(wire, caf::actor_cast<protocol::WireEndActor>(to)), plan_(std::move(plan)) {
    auto port = std::make_shared<protocol::PortSpec>();
    port->mac = mac;
    caf::anon_send(to, protocol::plug_atom_v, wire, protocol::PortSpecBox{std::move(port)},
                   protocol::WireEndActor(self));
    plan_.plugged(wire_);
  }

  protocol::WireEndActor::behavior_type make_behavior() {
    using namespace protocol;
    return {
        [this](frames_atom, WireId, const FrameBox& box) {
          wire_.handled(box.batch->size());
          plan_.frames(wire_, std::move(*box.batch));
        },
        [this](grant_atom, WireId, std::uint32_t frames) { wire_.granted(frames); },
        [this](offloads_atom, WireId, const OffloadsBox&) {},
    };
  }
  void on_exit() {}

 private:
  network::Wire wire_;
  EndPlan plan_;
};

/// A switch and two ends, each on its loop.
class Wires {
 public:
  /// `loops`: 1, all of them on one; 3, each on its own.
  explicit Wires(unsigned loops) : runtime_(options(loops)) {}
  ~Wires() {
    for (auto& end : ends_)
      protocol::kill_now(end);
    protocol::kill_now(switch_);
  }

  void add(std::uint8_t number, EndPlan plan) {
    // By the runtime's own thread, as VMs are made.
    runtime_.add_listener("bench", [&] {
      if (!switch_)
        switch_ = loop::spawn_on<protocol::SwitchUnit, network::NetSwitchState>(
            services_->system, services_->next_loop());
      ends_.push_back(loop::spawn_on<protocol::WireEndActor, EndState>(
          services_->system, services_->next_loop(), protocol::WireId{number}, station(number),
          switch_, std::move(plan)));
      return caf::actor_cast<caf::strong_actor_ptr>(ends_.back());
    });
  }

 private:
  static RuntimeOptions options(unsigned loops) {
    RuntimeOptions out;
    out.io_loops = loops;
    return out;
  }

  detail::RuntimeImpl runtime_;
  std::shared_ptr<Services> services_ = runtime_.services();
  protocol::SwitchUnit switch_;
  std::vector<protocol::WireEndActor> ends_;
};

net::FrameBatch batch_of(net::FramePool& pool, std::span<const std::byte> bytes) {
  auto frame = pool.make(bytes.size());
  std::copy(bytes.begin(), bytes.end(), frame.bytes().begin());
  auto batch = pool.batch();
  batch.push(std::move(frame));
  return batch;
}

Samples round_trips(unsigned loops, unsigned count) {
  constexpr unsigned kWarmUp = 1000;
  const auto there = datagram(station(1), station(2), 64);
  const auto back = datagram(station(2), station(1), 64);
  const auto here = net::FramePool::create();
  const auto far = net::FramePool::create();
  Samples taken;
  Clock::time_point sent;
  unsigned trips = 0;
  std::promise<void> ready;
  std::promise<void> done;
  // Last: its actors use all of those.
  Wires wires(loops);
  wires.add(2, {[&](network::Wire&) { ready.set_value(); },
                [&](network::Wire& wire, const net::FrameBatch&) {
                  auto out = batch_of(*far, back);
                  wire.send(out);
                }});
  // Before, the switch would not know where to.
  ready.get_future().wait();
  const auto send = [&](network::Wire& wire) {
    auto out = batch_of(*here, there);
    sent = Clock::now();
    wire.send(out);
  };
  wires.add(1, {send, [&](network::Wire& wire, const net::FrameBatch&) {
                  const auto now = Clock::now();
                  if (++trips > kWarmUp) taken.add(now - sent);
                  if (trips == kWarmUp + count) return done.set_value();
                  send(wire);
                }});
  if (done.get_future().wait_for(std::chrono::minutes(1)) != std::future_status::ready)
    throw error(ErrorCode::Timeout, "a frame was lost between two ports");
  return taken;
}

void print(const char* what, const Samples& samples) {
  const auto us = [&](unsigned percent) {
    return std::chrono::duration<double, std::micro>(samples.percentile(percent)).count();
  };
  std::printf("  %-46s p50 %6.1f us   p99 %6.1f us   (%zu round trips)\n", what, us(50), us(99),
              samples.count());
}

}  // namespace

void measure_wires(unsigned rounds) {
  std::printf(
      "wires: a small frame from one port to another and back, by the messages between the actors\n"
      "of two cards and a switch. Wanted: p50 under 60 us; %s\n",
      load_text().c_str());
  constexpr unsigned kTrips = 20'000;
  print("all on one loop", round_trips(1, rounds * kTrips));
  print("each on a loop of its own", round_trips(3, rounds * kTrips));
}

}  // namespace capsa::bench
