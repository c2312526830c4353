#include <actors/protocol/spawn.hpp>
#include <actors/vm/vm.hpp>

namespace capsa::vm {

namespace {

/// One question to several units. Whole only where all of them have answered: one that has not has
/// ended, and its VM with it.
class Round : public std::enable_shared_from_this<Round> {
 public:
  using Done = std::function<void(const std::optional<VmStats>&)>;
  explicit Round(Done done) : done_(std::move(done)) {}

  VmStats stats;

  template <class Answer, class Self, class Unit, class Take, class... Question>
  void ask(Self self, const Unit& unit, Take take, const Question&... question) {
    ++left_;
    self->request(unit, caf::infinite, question...)
        .then(
            [round = this->shared_from_this(), take](const Answer& answer) {
              take(round->stats, answer);
              round->one_done();
            },
            [round = this->shared_from_this()](const caf::error&) {
              round->whole_ = false;
              round->one_done();
            });
  }
  void one_done() {
    if (--left_ != 0) return;
    done_(whole_ ? std::optional(stats) : std::nullopt);
  }

 private:
  Done done_;
  std::size_t left_ = 1;  // whoever asks is done, too
  bool whole_ = true;
};

DiskUse disk_use(const std::string& device, const actors::DiskStats& stats) {
  DiskUse use;
  use.device = device;
  use.size_bytes = stats.size_bytes;
  use.reads = stats.reads;
  use.writes = stats.writes;
  use.flushes = stats.flushes;
  use.discards = stats.discards;
  use.read_bytes = stats.read_bytes;
  use.written_bytes = stats.written_bytes;
  return use;
}

}  // namespace

void VmState::collect_stats(StatsDone done) {
  const auto round = std::make_shared<Round>(std::move(done));
  auto& stats = round->stats;
  stats.uptime = std::chrono::steady_clock::now() - running_since_;
  stats.memory_bytes = plan_->config.resources.memory_mb << 20;
  round->ask<protocol::UseBox>(
      self_, units_.machine,
      [](VmStats& out, const protocol::UseBox& use) {
        out.cpu_time = use.value->cpu_time;
        out.resident_memory_bytes = use.value->resident_memory_bytes;
      },
      actors::stats_atom_v);
  const auto disks = disks_of(plan_->boot, plan_->config);
  stats.disks.resize(units_.disks.size());
  for (std::size_t i = 0; i < units_.disks.size(); ++i)
    round->ask<actors::DiskStats>(
        self_, units_.disks[i],
        [i, device = disks[i].device](VmStats& out, const actors::DiskStats& use) {
          out.disks[i] = disk_use(device, use);
        },
        actors::stats_atom_v);
  for (const auto& share : units_.shares)
    round->ask<actors::ShareStats>(
        self_, share,
        [](VmStats& out, const actors::ShareStats& use) { out.share_requests += use.requests; },
        actors::stats_atom_v);
  if (units_.card)
    round->ask<NetworkStats>(
        self_, units_.net_switch, [](VmStats& out, const NetworkStats& use) { out.network = use; },
        actors::stats_atom_v, units_.card_port);
  round->one_done();
}

caf::result<VmStats> VmState::stats() {
  if (!up() || units_.vcpus.empty()) return not_running();
  const auto promise = owe();
  collect_stats([this, promise](const std::optional<VmStats>& stats) {
    if (stats)
      promise->deliver(*stats);
    else
      promise->deliver(not_running());
  });
  return *promise;
}

caf::result<protocol::ScrapeBox> VmState::scrape() {
  protocol::VmScrape scrape;
  scrape.id = plan_->id;
  scrape.name = plan_->config.name;
  scrape.status = status_;
  if (!up() || units_.vcpus.empty()) return protocol::box(std::move(scrape));
  const auto promise = owe();
  collect_stats(
      [this, promise, scrape = std::move(scrape)](const std::optional<VmStats>& stats) mutable {
        scrape.status = status_;
        scrape.stats = stats;
        promise->deliver(protocol::box(std::move(scrape)));
      });
  return *promise;
}

}  // namespace capsa::vm
