#include <algorithm>
#include <array>
#include <backends/virtio/balloon/device.hpp>
#include <cstring>
#include <utility>

namespace capsa::virtio::balloon {

namespace {

/// virtio 1.2, 5.5.4, as far as it belongs to what is offered. Little-endian.
struct Config {
  std::uint32_t target = 0;
  std::uint32_t actual = 0;  ///< the driver's to write
};
static_assert(sizeof(Config) == 8);

/// A reported piece counts as no less than this: each is a call of the kernel.
constexpr std::size_t kLeastReported =
    BalloonDevice::kReportedPerTurn / BalloonDevice::kPagesPerTurn;

}  // namespace

BalloonDevice::BalloonDevice(std::function<void()> go_on_later, BalloonOptions options)
    : go_on_later_(std::move(go_on_later)), options_(options) {}

// -- virtio::Device

DeviceIdentity BalloonDevice::identity() const {
  DeviceIdentity identity{.type = kDeviceType,
                          .name = "balloon",
                          .features = kFeatureVersion1 | kFeatureIndirectDescriptors |
                                      kFeatureEventIdx |
                                      (options_.deflate_on_oom ? kFeatureDeflateOnOom : 0) |
                                      (options_.reporting ? kFeatureReporting : 0),
                          // Linux has one chain in each at a time, of 32 buffers in the third.
                          .queue_sizes = {128, 128},
                          .required_queues = 2,
                          .config_size = sizeof(Config)};
  if (options_.reporting) identity.queue_sizes.push_back(128);
  return identity;
}

void BalloonDevice::read_config(std::size_t offset, std::span<std::byte> out) const {
  const Config config{.target = target_, .actual = actual_};
  std::fill(out.begin(), out.end(), std::byte{0});
  if (offset >= sizeof(Config)) return;
  const auto rest = std::as_bytes(std::span(&config, 1)).subspan(offset);
  std::copy_n(rest.begin(), std::min(rest.size(), out.size()), out.begin());
}

void BalloonDevice::write_config(std::size_t offset, std::span<const std::byte> in) {
  // Whole or in parts; the target is ours.
  auto actual = std::as_writable_bytes(std::span(&actual_, 1));
  constexpr std::size_t kAt = offsetof(Config, actual);
  for (std::size_t i = 0; i < actual.size(); ++i)
    if (offset <= kAt + i && kAt + i - offset < in.size()) actual[i] = in[kAt + i - offset];
}

void BalloonDevice::activate(Activation activation) {
  if (active_ || activation.queues.size() < 2) return;
  active_ = activation;
  reporting_ = options_.reporting && (activation.features & kFeatureReporting) != 0 &&
               activation.queues.size() > kReportingQueue;
  greeted_ = false;
  more_ = 0;
  inflate_done_ = 0;
  report_done_ = 0;
}

void BalloonDevice::process(QueueIndex queue) {
  if (!active_) return;
  greet();
  if (queue > (reporting_ ? kReportingQueue : kDeflateQueue)) return;
  end_turn(run(queue));
}

void BalloonDevice::process_more() {
  if (!active_) return;
  Outcome outcome = Outcome::Done;
  for (QueueIndex queue = 0; queue <= kReportingQueue; ++queue)
    if ((more_ & 1U << queue) != 0 && run(queue) == Outcome::More) outcome = Outcome::More;
  end_turn(outcome);
}

void BalloonDevice::suspend(std::function<void()> done) {
  // Nothing is in flight: a chain is either given back by the call that took it or put back into
  // its ring.
  active_.reset();
  if (done) done();
}

void BalloonDevice::reset(std::function<void()> done) {
  active_.reset();
  actual_ = 0;
  if (done) done();
}

void BalloonDevice::set_target(std::uint32_t pages) {
  if (std::exchange(target_, pages) == pages) return;
  // Before the first process() there is nobody to be told.
  config_news_ = !active_ || !greeted_;
  if (!config_news_ && active_->interrupt != nullptr) active_->interrupt->config_changed();
}

// -- the work

void BalloonDevice::greet() {
  if (std::exchange(greeted_, true)) return;
  if (std::exchange(config_news_, false) && active_->interrupt != nullptr)
    active_->interrupt->config_changed();
}

void BalloonDevice::end_turn(Outcome outcome) {
  for (QueueIndex queue = 0; queue <= (reporting_ ? kReportingQueue : kDeflateQueue); ++queue)
    if (active_->queues[queue].should_signal() && active_->interrupt != nullptr)
      active_->interrupt->signal(queue);
  if (outcome == Outcome::More && go_on_later_) go_on_later_();
}

BalloonDevice::Outcome BalloonDevice::run(QueueIndex index) {
  Queue& queue = active_->queues[index];
  const auto bit = static_cast<std::uint8_t>(1U << index);
  std::size_t chains = queue.size();
  std::size_t budget = index == kReportingQueue ? kReportedPerTurn : kPagesPerTurn;
  more_ |= bit;
  queue.disable_notifications();
  do {
    for (;;) {
      if (chains == 0 || budget == 0) return Outcome::More;
      const auto chain = queue.pop();
      if (!chain) break;
      // What leaves the balloon is the guest's already: a page comes back by being touched.
      const bool whole = index == kInflateQueue     ? inflate(*chain, budget)
                         : index == kReportingQueue ? report(*chain, budget)
                                                    : true;
      if (!whole) {
        queue.undo_pop();
        return Outcome::More;
      }
      queue.push(chain->head, 0);
      --chains;
    }
  } while (queue.enable_notifications());
  more_ &= static_cast<std::uint8_t>(~bit);
  return Outcome::Done;
}

bool BalloonDevice::inflate(const Chain& chain, std::size_t& budget) {
  const std::uint64_t total = chain.readable_bytes() / sizeof(PageNumber);
  // The guest may have made the chain shorter meanwhile.
  const std::uint64_t left = total - std::min(total, inflate_done_);
  pages_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(left, budget)));
  chain.copy_out(inflate_done_ * sizeof(PageNumber), std::as_writable_bytes(std::span(pages_)));
  for (const PageRun& run : merge(pages_)) {
    // Not one by one: a guest that names good pages beside bad ones loses the use of it.
    const bool gone = active_->memory->discard(run.first * kPageSize, run.count * kPageSize);
    (gone ? stats_.inflated : stats_.refused) += run.count;
  }
  budget -= pages_.size();
  inflate_done_ += pages_.size();
  if (pages_.size() < left) return false;
  inflate_done_ = 0;
  return true;
}

bool BalloonDevice::report(const Chain& chain, std::size_t& budget) {
  std::uint64_t skip = report_done_;
  for (const Segment segment : chain.writable) {
    // The buffer is the page: what hangs over at either end is not reported.
    auto pages = whole_pages(segment);
    if (skip >= pages.size()) {
      skip -= pages.size();
      continue;
    }
    pages = pages.subspan(static_cast<std::size_t>(skip));
    skip = 0;
    if (budget == 0) return false;
    const auto piece = whole_pages(pages.first(std::min(pages.size(), budget)));
    // Less than a page of the host is left of the budget.
    if (piece.empty()) {
      budget = 0;
      return false;
    }
    if (active_->memory->discard(piece)) {
      stats_.reported += piece.size();
    } else {
      stats_.refused += piece.size() / kPageSize;
    }
    budget -= std::min(budget, std::max(piece.size(), kLeastReported));
    report_done_ += piece.size();
    if (piece.size() < pages.size()) {
      budget = 0;
      return false;
    }
  }
  report_done_ = 0;
  return true;
}

}  // namespace capsa::virtio::balloon
