#pragma once

#include <agent/guest/server_session.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <functional>
#include <string>

/// Bytes between a program's descriptors and the connection, against credit. Nothing is read from a
/// program before the host has room for it, so a program that prints too much blocks on its pipe.
namespace capsa::agent::guest {

/// A descriptor that a program writes to, into Data frames.
class OutputPump {
 public:
  /// `on_end` is called once: end-of-file, or settle() and nothing more to read.
  OutputPump(Reply reply, wire::Stream stream, UniqueFd fd, std::uint64_t credit,
             std::function<void()> on_end);
  ~OutputPump();
  OutputPump(const OutputPump&) = delete;
  OutputPump& operator=(const OutputPump&) = delete;

  void start();
  void add_credit(std::uint64_t amount);
  /// The connection may have room again.
  void update();
  /// What is in the pipe now is still delivered; what comes later, from whoever else has the
  /// descriptor, may not be.
  void settle();
  bool ended() const { return !fd_; }
  int fd() const { return fd_.get(); }

 private:
  void on_ready();
  void end();

  Reply reply_;
  wire::Stream stream_;
  UniqueFd fd_;
  std::uint64_t credit_;
  std::function<void()> on_end_;
  bool watched_ = false;
  bool settling_ = false;
  std::uint64_t settle_left_ = 0;
};

/// Bytes from the host, into a descriptor that a program reads.
class InputPump {
 public:
  /// `on_closed` is called once if the program stops reading before the end.
  InputPump(Reply reply, UniqueFd fd, std::function<void()> on_closed);
  ~InputPump();
  InputPump(const InputPump&) = delete;
  InputPump& operator=(const InputPump&) = delete;

  /// Gives the first credit.
  void start();
  /// False: more than the credit.
  bool write(const std::string& bytes);
  /// End of input, after `last` (a terminal's end-of-file character, or nothing).
  void close(std::function<std::string()> last = nullptr);
  bool open() const { return bool(fd_) && !closing_; }

 private:
  void on_ready();
  void give_credit(std::uint64_t amount);
  void drop();

  Reply reply_;
  UniqueFd fd_;
  std::function<void()> on_closed_;
  std::string buffer_;
  std::size_t offset_ = 0;
  std::uint64_t credit_ = 0;  // what the host may still send
  bool watched_ = false;
  bool closing_ = false;
  std::function<std::string()> last_;
};

}  // namespace capsa::agent::guest
