#pragma once

#include <capsa/actors.hpp>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <span>
#include <string>

namespace capsa::agent_link {

/// What a process has written to one of its streams and nobody has read yet: never more than the
/// credit that the guest was given, as more is given only for what is read.
class KeptOutput {
 public:
  /// Each gives how many bytes a reader has got by it: for these the guest may send more.
  std::size_t add(std::span<const std::byte> bytes);
  std::size_t read(std::uint64_t reader, caf::response_promise promise);
  /// Nothing more will come. An error is told behind the bytes that have.
  void end(result<void> how);
  /// Takes a reader's request back: it gets nothing.
  void give_up(std::uint64_t reader, const caf::error& why);
  void fail_all(const caf::error& why);
  /// Bytes that nobody has read.
  std::size_t kept() const noexcept { return bytes_.size(); }

 private:
  struct Reader {
    std::uint64_t id;
    caf::response_promise promise;
  };
  std::size_t serve();

  std::string bytes_;
  std::deque<Reader> readers_;
  std::optional<result<void>> end_;
};

}  // namespace capsa::agent_link
