#include <actors/agent_link/copy.hpp>
#include <actors/protocol/errors.hpp>
#include <agent/host/convert.hpp>

#include <utility>

namespace capsa::agent_link {

void Copy::submit(std::string bytes, std::function<void(Step&)> work) {
  auto step = std::make_shared<Step>();
  step->bytes = std::move(bytes);
  steps_.push_back(step);
  files_.pool->submit([step, work = std::move(work)] { work(*step); },
                      [tell = files_.tell] { tell(); });
}

void Copy::step_done() {
  if (steps_.empty()) return;
  const auto step = std::move(steps_.front());
  steps_.pop_front();
  if (!over_) on_step(*step);
}

void Copy::answer(const result<CopyStats>& outcome) {
  if (std::exchange(over_, true)) return;
  session_ = nullptr;
  release();
  if (outcome.ok())
    promise_.deliver(*outcome);
  else
    promise_.deliver(protocol::to_caf(outcome.error()));
}

void Copy::give_up(const agent::TreeFailure& failure) {
  if (over_ || gave_up_) return;
  gave_up_ = agent::to_error(failure);
  // Calls on_session_done(); where the guest has said its last word already there is none to call.
  if (session_ != nullptr) session_->cancel(request_);
  answer(*gave_up_);
}

void Copy::on_session_done(const result<void>& outcome) {
  session_ = nullptr;
  if (gave_up_)
    answer(*gave_up_);
  else if (outcome.ok())
    on_complete();
  else
    answer(outcome.error());
}

// -- into the guest

CopyTo::CopyTo(caf::response_promise promise, Files files, const std::string& host_path,
               std::string guest_path, const CopyOptions& options)
    : Copy(std::move(promise), std::move(files)),
      guest_path_(std::move(guest_path)),
      tree_(std::make_shared<agent::TreeSource>(
          host_path, options.skip_special,
          agent::TreeLimits{options.max_entries, options.max_bytes})) {}

void CopyTo::begin(agent::Session& session) {
  session_ = &session;
  const auto self = std::static_pointer_cast<CopyTo>(shared_from_this());
  agent::WriteEvents events;
  events.room = [self](std::size_t) { self->advance(); };
  events.done = [self](const result<void>& outcome) { self->on_session_done(outcome); };
  request_ = session.write_tree(guest_path_, std::move(events));
  advance();
}

void CopyTo::advance() {
  while (!over_ && session_ != nullptr && request_ != 0 && !finished_) {
    if (sent_ == unsent_.size() && !next_.empty()) {
      unsent_ = std::exchange(next_, {});
      sent_ = 0;
    }
    if (!reading_ && !all_read_ && next_.empty()) {
      reading_ = true;
      submit({}, [tree = tree_](Step& step) {
        step.failure = tree->read(step.bytes);
        step.last = tree->done();
        step.stats = tree->stats();
      });
    }
    if (sent_ == unsent_.size()) {
      if (!all_read_) return;  // the next step goes on
      finished_ = true;
      return session_->write_finish(request_);
    }
    const auto rest = std::as_bytes(std::span(unsent_)).subspan(sent_);
    const auto taken = session_->write_data(request_, rest);
    if (taken == 0) return;  // room goes on
    sent_ += taken;
  }
}

void CopyTo::on_step(Step& step) {
  reading_ = false;
  if (step.failure) return give_up(*step.failure);
  next_ = std::move(step.bytes);
  all_read_ = step.last;
  stats_ = step.stats;
  advance();
}

void CopyTo::on_complete() {
  answer(stats_);
}

void CopyTo::release() {
  submit({}, [tree = std::move(tree_)](Step&) {});
}

// -- from the guest

CopyFrom::CopyFrom(caf::response_promise promise, Files files, const std::string& host_path,
                   std::string guest_path, const CopyOptions& options)
    : Copy(std::move(promise), std::move(files)),
      guest_path_(std::move(guest_path)),
      skip_special_(options.skip_special),
      tree_(std::make_shared<agent::TreeSink>(
          host_path, agent::TreeLimits{options.max_entries, options.max_bytes})) {}

void CopyFrom::begin(agent::Session& session) {
  session_ = &session;
  const auto self = std::static_pointer_cast<CopyFrom>(shared_from_this());
  agent::ReadEvents events;
  events.data = [self](std::span<const std::byte> bytes) {
    self->received_ += agent::as_text(bytes);
    self->advance();
  };
  events.done = [self](const result<void>& outcome) { self->on_session_done(outcome); };
  request_ = session.read_tree(guest_path_, skip_special_, std::move(events));
}

void CopyFrom::advance() {
  if (over_ || writing_ || (received_.empty() && !all_received_)) return;
  writing_ = true;
  auto bytes = received_.substr(0, agent::kMaxChunk);
  received_.erase(0, bytes.size());
  submit(std::move(bytes), [tree = tree_, last = received_.empty() && all_received_](Step& step) {
    step.failure = tree->feed(agent::as_bytes(step.bytes));
    // The guest's last word is no proof that the tree is whole.
    if (last && !step.failure) step.failure = tree->finish();
    step.last = last;
    step.stats = tree->stats();
  });
}

void CopyFrom::on_step(Step& step) {
  writing_ = false;
  if (step.failure) return give_up(*step.failure);
  if (step.last) return answer(step.stats);
  if (session_ != nullptr) session_->grant(request_, agent::Stream::Output, step.bytes.size());
  advance();
}

void CopyFrom::on_complete() {
  all_received_ = true;
  advance();
}

void CopyFrom::release() {
  submit({}, [tree = std::move(tree_)](Step&) {});
}

}  // namespace capsa::agent_link
