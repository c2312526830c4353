#include <actors/facade/impl.hpp>
#include <actors/metrics/runtime_metrics.hpp>
#include <capsa/runtime.hpp>

#include <algorithm>

namespace capsa {

namespace {

// One that takes longer has a stuck part, and the others are waited for by somebody.
constexpr std::chrono::nanoseconds kScrapePatience = std::chrono::seconds(2);

/// The answers of all VMs, as they come, on any thread.
class Scrape : public std::enable_shared_from_this<Scrape> {
 public:
  Scrape(metrics::RuntimeSample sample, promise<std::string> done)
      : sample_(std::move(sample)), done_(std::move(done)) {}

  void ask(facade::Target& vm) {
    {
      std::lock_guard lock(mutex_);
      ++left_;
    }
    vm.ask_then<protocol::ScrapeBox>(
        kScrapePatience,
        [self = shared_from_this()](const result<protocol::ScrapeBox>& answer) {
          self->take(answer);
        },
        protocol::scrape_atom_v);
  }
  /// All have been asked.
  void end() { finish_one(); }

 private:
  void take(const result<protocol::ScrapeBox>& answer) {
    {
      std::lock_guard lock(mutex_);
      if (answer.ok()) {
        const auto& vm = *answer->value;
        sample_.vms.push_back({vm.id, vm.name, vm.status, vm.stats});
      } else if (answer.error().code() == ErrorCode::Timeout) {
        ++sample_.unanswered;  // else it has just ended, and is none any more
      }
    }
    finish_one();
  }

  void finish_one() {
    {
      std::lock_guard lock(mutex_);
      if (--left_ != 0) return;
      // In the order in which they were made, however they answered.
      std::sort(sample_.vms.begin(), sample_.vms.end(), [](const auto& a, const auto& b) {
        return std::pair(a.id.size(), a.id) < std::pair(b.id.size(), b.id);
      });
    }
    done_.set(metrics::prometheus_text(sample_));
  }

  std::mutex mutex_;  // guards sample_ and left_
  metrics::RuntimeSample sample_;
  std::size_t left_ = 1;  // whoever asks is done, too
  promise<std::string> done_;
};

}  // namespace

future<std::string> Runtime::metrics() const {
  const auto services = impl_->services();
  if (!services)
    return future<std::string>::ready(
        error(ErrorCode::RuntimeShutdown, "the runtime was shut down", "make a new Runtime"));
  metrics::RuntimeSample sample;
  sample.boots = services->counters.boots;
  sample.failures = services->counters.failures;
  sample.callbacks_queued = services->callbacks_queued();
  sample.io_loops = services->loops();
  promise<std::string> p(impl_->post());
  const auto scrape = std::make_shared<Scrape>(std::move(sample), p);
  for (const auto& vm : impl_->vms())
    scrape->ask(*facade::Target::make(services->system, vm, impl_->post()));
  scrape->end();
  return p.get_future();
}

}  // namespace capsa
