#pragma once

#include <agent/host/session.hpp>
#include <agent/tree/tree_sink.hpp>
#include <agent/tree/tree_source.hpp>
#include <backends/virtio/device.hpp>
#include <capsa/actors.hpp>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

namespace capsa::agent_link {

/// A tree of files on its way between the host and a guest. The link's thread moves bytes between
/// the session and steps; each step is work on the host's files, done one at a time on the file
/// pool, which alone touches the tree. What waits here is bounded: by two steps on the way to the
/// guest, by our own credit on the way from it.
class Copy : public std::enable_shared_from_this<Copy> {
 public:
  /// Where the host's files are touched, and whom it tells, from any thread, that a step is done.
  struct Files {
    std::shared_ptr<virtio::Executor> pool;
    std::function<void()> tell;
  };

  Copy(caf::response_promise promise, Files files)
      : promise_(std::move(promise)), files_(std::move(files)) {}
  virtual ~Copy() = default;
  Copy(const Copy&) = delete;
  Copy& operator=(const Copy&) = delete;

  /// Makes the request. The session outlives it: it answers all requests before it goes.
  virtual void begin(agent::Session& session) = 0;
  /// The file pool has told of a step.
  void step_done();
  /// Answers the caller, who hears only the first.
  void answer(const result<CopyStats>& outcome);
  /// Nothing of it is under way any more.
  bool gone() const { return over_ && steps_.empty(); }

 protected:
  /// Filled by the pool, then read by the link.
  struct Step {
    std::string bytes;
    std::optional<agent::TreeFailure> failure;
    bool last = false;
    CopyStats stats;
  };
  void submit(std::string bytes, std::function<void(Step&)> work);
  virtual void on_step(Step& step) = 0;
  /// The guest says that all is done. What then remains is for on_complete() to answer.
  virtual void on_complete() = 0;
  /// Hands the tree to the pool for good: to close what it has open may block, too.
  virtual void release() = 0;
  /// Ends the request with an error of this side.
  void give_up(const agent::TreeFailure& failure);
  void on_session_done(const result<void>& outcome);

  agent::Session* session_ = nullptr;  // until the request is over
  agent::RequestId request_ = 0;
  bool over_ = false;

 private:
  caf::response_promise promise_;
  Files files_;
  std::deque<std::shared_ptr<Step>> steps_;  // with the pool, in order
  std::optional<capsa::error> gave_up_;
};

/// From the host into the guest.
class CopyTo final : public Copy {
 public:
  CopyTo(caf::response_promise promise, Files files, const std::string& host_path,
         std::string guest_path, const CopyOptions& options);
  void begin(agent::Session& session) override;

 private:
  void on_step(Step& step) override;
  void on_complete() override;
  void release() override;
  void advance();

  std::string guest_path_;
  std::shared_ptr<agent::TreeSource> tree_;  // the pool's
  std::string unsent_;
  std::size_t sent_ = 0;  // of unsent_
  std::string next_;      // read meanwhile
  bool reading_ = false;
  bool all_read_ = false;
  bool finished_ = false;
  CopyStats stats_;
};

/// From the guest, which is not trusted, to the host.
class CopyFrom final : public Copy {
 public:
  CopyFrom(caf::response_promise promise, Files files, const std::string& host_path,
           std::string guest_path, const CopyOptions& options);
  void begin(agent::Session& session) override;

 private:
  void on_step(Step& step) override;
  void on_complete() override;
  void release() override;
  void advance();

  std::string guest_path_;
  bool skip_special_;
  std::shared_ptr<agent::TreeSink> tree_;  // the pool's
  // In one piece: a guest may send its bytes one by one.
  std::string received_;
  bool writing_ = false;
  bool all_received_ = false;
};

}  // namespace capsa::agent_link
