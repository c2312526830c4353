#pragma once

#include <agent/agent.pb.h>
#include <agent/host/convert.hpp>
#include <agent/host/session.hpp>
#include <algorithm>
#include <utility>

/// Requests that wait for their answer, one kind each. Internal to the session.
namespace capsa::agent {

/// A request between its first frame and its last. `false` from a handler: the guest broke the
/// protocol.
class PendingRequest {
 public:
  virtual ~PendingRequest() = default;

  /// A frame that is not the last.
  virtual bool on_event(const wire::GuestFrame&) { return false; }
  /// The last frame, other than an error; the request is no longer in the session.
  virtual bool on_last(const wire::GuestFrame& frame) = 0;
  virtual void fail(const error& why) = 0;

  /// The host gives credit: how much of it counts; 0 if that stream is not there.
  virtual std::uint64_t add_output_credit(Stream, std::uint64_t) { return 0; }
  /// Bytes the guest has room for; consume_input() takes from them.
  virtual std::uint64_t input_credit() const { return 0; }
  virtual void consume_input(std::uint64_t) {}
  virtual bool close_input() { return false; }
  virtual bool is_program() const { return false; }
};

/// Credit the host gave for one stream, against what the guest sent.
class ReceiveWindow {
 public:
  explicit ReceiveWindow(std::uint64_t first) : left_(std::min(first, kMaxWindow)) {}
  bool take(std::uint64_t amount) {
    if (amount == 0 || amount > left_) return false;
    left_ -= amount;
    return true;
  }
  /// How much of `amount` still fits under the cap.
  std::uint64_t add(std::uint64_t amount) {
    const auto fits = std::min(amount, kMaxWindow - left_);
    left_ += fits;
    return fits;
  }
  std::uint64_t left() const { return left_; }

 private:
  std::uint64_t left_;
};

/// Credit the guest gave for our input.
class SendWindow {
 public:
  bool add(std::uint64_t amount) {
    if (amount == 0 || amount > kMaxWindow - left_) return false;
    left_ += amount;
    return true;
  }
  void take(std::uint64_t amount) { left_ -= std::min(amount, left_); }
  void close() {
    open_ = false;
    left_ = 0;
  }
  bool open() const { return open_; }
  std::uint64_t left() const { return open_ ? left_ : 0; }

 private:
  std::uint64_t left_ = 0;
  bool open_ = true;
};

/// One answer, of one frame. `Decode` turns the frame into a T, or none if it is the wrong kind.
template <class T>
class SimpleRequest final : public PendingRequest {
 public:
  using Decode = std::optional<T> (*)(const wire::GuestFrame&);
  SimpleRequest(Callback<T> done, Decode decode) : done_(std::move(done)), decode_(decode) {}
  bool on_last(const wire::GuestFrame& frame) override {
    auto value = decode_(frame);
    if (!value) return false;
    if (done_) std::exchange(done_, nullptr)(std::move(*value));
    return true;
  }
  void fail(const error& why) override {
    if (done_) std::exchange(done_, nullptr)(why);
  }

 private:
  Callback<T> done_;
  Decode decode_;
};

template <>
class SimpleRequest<void> final : public PendingRequest {
 public:
  explicit SimpleRequest(Callback<void> done) : done_(std::move(done)) {}
  bool on_last(const wire::GuestFrame& frame) override {
    if (!frame.has_done()) return false;
    if (done_) std::exchange(done_, nullptr)(result<void>{});
    return true;
  }
  void fail(const error& why) override {
    if (done_) std::exchange(done_, nullptr)(why);
  }

 private:
  Callback<void> done_;
};

class ExecRequest final : public PendingRequest {
 public:
  ExecRequest(ExecEvents events, const ExecWindows& windows, bool stdin_open);
  bool on_event(const wire::GuestFrame& frame) override;
  bool on_last(const wire::GuestFrame& frame) override;
  void fail(const error& why) override;
  std::uint64_t add_output_credit(Stream stream, std::uint64_t amount) override;
  std::uint64_t input_credit() const override { return input_.left(); }
  void consume_input(std::uint64_t amount) override { input_.take(amount); }
  bool close_input() override;
  bool is_program() const override { return true; }

 private:
  bool on_data(const wire::Data& data);
  bool on_credit(const wire::Credit& credit);

  ExecEvents events_;
  ReceiveWindow stdout_;
  ReceiveWindow stderr_;
  SendWindow input_;
  bool started_ = false;
};

class ReadRequest final : public PendingRequest {
 public:
  ReadRequest(ReadEvents events, std::uint64_t window)
      : events_(std::move(events)), window_(window) {}
  bool on_event(const wire::GuestFrame& frame) override;
  bool on_last(const wire::GuestFrame& frame) override;
  void fail(const error& why) override;
  std::uint64_t add_output_credit(Stream stream, std::uint64_t amount) override;

 private:
  ReadEvents events_;
  ReceiveWindow window_;
};

class WriteRequest final : public PendingRequest {
 public:
  explicit WriteRequest(WriteEvents events) : events_(std::move(events)) {}
  bool on_event(const wire::GuestFrame& frame) override;
  bool on_last(const wire::GuestFrame& frame) override;
  void fail(const error& why) override;
  std::uint64_t input_credit() const override { return input_.left(); }
  void consume_input(std::uint64_t amount) override { input_.take(amount); }
  bool close_input() override;

 private:
  WriteEvents events_;
  SendWindow input_;
  bool finished_ = false;
};

/// Gathers a listing; `grant` gives the guest credit for as many entries as were taken.
class ListRequest final : public PendingRequest {
 public:
  /// `give_up` takes the request back: there is more than anybody wants.
  ListRequest(Callback<std::vector<DirEntry>> done, std::function<void(std::uint64_t)> grant,
              std::function<void()> give_up)
      : done_(std::move(done)),
        grant_(std::move(grant)),
        give_up_(std::move(give_up)),
        window_(kEntryWindow) {}
  bool on_event(const wire::GuestFrame& frame) override;
  bool on_last(const wire::GuestFrame& frame) override;
  void fail(const error& why) override;

 private:
  Callback<std::vector<DirEntry>> done_;
  std::function<void(std::uint64_t)> grant_;
  std::function<void()> give_up_;
  ReceiveWindow window_;
  std::vector<DirEntry> entries_;
  std::size_t bytes_ = 0;
};

}  // namespace capsa::agent
