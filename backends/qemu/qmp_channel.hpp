#pragma once

#include <backends/qemu/qmp.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <capsa/loop.hpp>
#include <functional>

namespace capsa::qemu {

/// A QmpSession on a connected socket and a loop. All on the loop's thread. Callbacks come from
/// the loop, or from inside command(), drain() and close(); none may destroy the channel.
class QmpChannel {
 public:
  /// What QEMU has not read yet. A command is some 40 bytes: more than this is a QEMU that does not
  /// listen.
  static constexpr std::size_t kMaxUnsent = std::size_t{64} << 10;

  /// `closed` is called once: when QEMU hung up, sent nonsense, does not read, or close() was
  /// called.
  using Closed = std::function<void(const error&)>;

  QmpChannel(Loop& loop, UniqueFd socket, QmpSession::EventHandler on_event, Closed closed);
  QmpChannel(const QmpChannel&) = delete;
  QmpChannel& operator=(const QmpChannel&) = delete;
  ~QmpChannel();

  void command(std::string_view name, QmpSession::Reply done);
  /// Takes everything that has arrived: after QEMU's end, that is its last word.
  void drain();
  void close(const error& why);
  bool closed() const noexcept { return session_.closed(); }

 private:
  void receive(int rounds);
  void flush();
  void watch_for(std::uint32_t events);

  Loop& loop_;
  UniqueFd socket_;
  QmpSession session_;
  Closed closed_;
  std::string unsent_;
  std::uint32_t watched_ = 0;
};

}  // namespace capsa::qemu
