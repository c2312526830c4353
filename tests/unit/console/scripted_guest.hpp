#pragma once

#include <actors/console/core/conversation.hpp>
#include <algorithm>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

/// Plays a guest against one conversation: each thing that the conversation sends is answered by
/// the next entry of a script, cut into pieces; where it falls silent the time moves on.
class ScriptedGuest {
 public:
  using TimePoint = capsa::console::TimePoint;

  ScriptedGuest(capsa::console::Conversation& talk, std::vector<std::string> answers)
      : talk_(talk), answers_(std::move(answers)) {}

  /// Cuts each answer into [0, cut), [cut, size); 0 sends it whole.
  void cut_at(std::size_t cut) { cut_ = cut; }
  void cut_everywhere() { everywhere_ = true; }

  /// Until the conversation is done, or wants nothing more. Gives whether it is done.
  bool play(std::string_view tail = {}) {
    apply(talk_.open(tail, now_));
    while (true) {
      while (!pieces_.empty()) {
        const std::string piece = std::move(pieces_.front());
        pieces_.pop_front();
        feed(piece);
      }
      const auto due = done_ ? std::nullopt : talk_.wakeup();
      if (!due) return done_;
      now_ = *due;
      apply(talk_.poke(now_));
    }
  }

  std::vector<std::string> sent;
  std::string rest;  ///< what the conversation left in the stream

 private:
  void feed(std::string_view bytes) {
    if (done_) {
      rest.append(bytes);
      return;
    }
    const capsa::console::Step step = talk_.feed(bytes, now_);
    if (step.done) rest.append(bytes.substr(step.taken));
    apply(step);
  }

  void apply(const capsa::console::Step& step) {
    if (step.done) done_ = true;
    if (step.send.empty()) return;
    sent.push_back(step.send);
    if (next_ == answers_.size()) return;
    const std::string& answer = answers_[next_++];
    if (everywhere_) {
      for (const char c : answer)
        pieces_.emplace_back(1, c);
    } else {
      pieces_.push_back(answer.substr(0, std::min(cut_, answer.size())));
      if (cut_ < answer.size()) pieces_.push_back(answer.substr(cut_));
    }
  }

  capsa::console::Conversation& talk_;
  std::vector<std::string> answers_;
  std::deque<std::string> pieces_;
  std::size_t next_ = 0;
  std::size_t cut_ = 0;
  bool everywhere_ = false;
  bool done_ = false;
  TimePoint now_{};
};
