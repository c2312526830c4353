#pragma once

#include <backends/vhost_user/protocol.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <capsa/result.hpp>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace capsa::vhost_user {

/// One whole message with what was attached to it.
struct Message {
  Header header;
  std::vector<std::byte> payload;
  std::vector<UniqueFd> fds;

  Request request() const noexcept { return static_cast<Request>(header.request); }

  /// The payload as a T, or nothing unless it has exactly that size.
  template <class T>
  std::optional<T> as() const {
    static_assert(std::is_trivially_copyable_v<T>);
    if (payload.size() != sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, payload.data(), sizeof(T));
    return value;
  }

  /// The beginning of the payload as a T, or nothing where it is shorter.
  template <class T>
  std::optional<T> prefix() const {
    static_assert(std::is_trivially_copyable_v<T>);
    if (payload.size() < sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, payload.data(), sizeof(T));
    return value;
  }
};

/// "SET_MEM_TABLE", for messages and logs; "request 99" for what we do not know.
std::string name_of(std::uint32_t request);

/// A reply to `request`.
std::vector<std::byte> encode_reply(std::uint32_t request, std::span<const std::byte> payload);

/// Puts messages together from pieces of a stream. Lengths and descriptor counts are the peer's
/// and capped before anything is kept.
class MessageReader {
 public:
  /// How many bytes complete the part in hand (the header, then the payload). A reader of a socket
  /// asks for no more: the kernel joins the bytes of several messages, and only this tells which
  /// of them the descriptors came with.
  std::size_t wants() const noexcept;

  /// Takes bytes up to the end of the message in hand and gives how many those were. Descriptors
  /// belong to the message that they arrive in. After an error the stream is lost.
  result<std::size_t> feed(std::span<const std::byte> bytes, std::vector<UniqueFd> fds);

  /// The message, once it is complete.
  std::optional<Message> take();

  /// Whether part of a message is in hand.
  bool midway() const noexcept { return have_ != 0; }

 private:
  std::size_t total() const noexcept { return sizeof(Header) + message_.header.size; }
  result<void> check_header() const;

  Message message_;
  std::size_t have_ = 0;  // bytes of the message in hand, header included
};

}  // namespace capsa::vhost_user
