#pragma once

#include <capsa/detail/unique_fd.hpp>
#include <capsa/future.hpp>
#include <memory>
#include <string>

namespace capsa {

namespace detail {

/// Where a reader's bytes come from. The last reader takes it along.
class StreamSource {
 public:
  virtual ~StreamSource() = default;
  virtual future<std::string> read() = 0;
  virtual result<UniqueFd> open_fd() = 0;
};

}  // namespace detail

/// The end of a byte stream at which it is read: of a console, or of a process in a guest. Bytes,
/// not lines. Copyable handle; read() is thread-safe, the first fd() is not.
class StreamReader {
 public:
  /// Waits until there is something and gives it; an empty string at the end of the stream. Several
  /// that wait are served in their order, each with bytes of its own. After a Timeout it has taken
  /// nothing: the next one who reads finds all of it.
  future<std::string> read();
  /// A file descriptor that yields the same bytes: readable, non-blocking, end of file at the end
  /// of the stream. Owned by this reader; made at the first call. Use either the fd or read(), not
  /// both.
  result<int> fd();

  /// Made by Console::split() and AgentClient::open().
  explicit StreamReader(std::shared_ptr<detail::StreamSource> source)
      : source_(std::move(source)) {}

 private:
  std::shared_ptr<detail::StreamSource> source_;
  std::shared_ptr<UniqueFd> fd_;
};

}  // namespace capsa
