#pragma once

#include <agent/limits.hpp>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace google::protobuf {
class MessageLite;
}

namespace capsa::agent {

/// Cuts a byte stream into frames: a varint length of at most kMaxFrame, then that many bytes. The
/// stream comes from an untrusted peer, in pieces of any size. Not thread-safe.
class FrameSplitter {
 public:
  enum class Step {
    NeedMore,  ///< `in` is used up
    Frame,     ///< `frame` is one whole frame, valid until the next call
    Broken,    ///< the length is above kMaxFrame; the stream cannot be continued
  };

  /// Takes bytes off the front of `in` up to the end of one frame.
  Step take(std::span<const std::byte>& in, std::span<const std::byte>& frame);

 private:
  bool take_length(std::span<const std::byte>& in);

  std::string partial_;        // bytes of a frame that came in pieces; grows as they come
  std::size_t length_ = 0;     // of the current frame, low bits first while it is being read
  unsigned length_bytes_ = 0;  // bytes of the length seen
  bool length_known_ = false;
  bool broken_ = false;
};

/// Appends `message` as one frame to `out`. False, and `out` unchanged, if it is above kMaxFrame.
[[nodiscard]] bool append_frame(const google::protobuf::MessageLite& message, std::string& out);

/// Parses one frame's bytes. False if they are no such message.
[[nodiscard]] bool parse_frame(std::span<const std::byte> frame,
                               google::protobuf::MessageLite& message);

inline std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}
inline std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace capsa::agent
