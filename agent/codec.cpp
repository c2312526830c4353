#include <google/protobuf/message_lite.h>
#include <agent/codec.hpp>
#include <algorithm>

namespace capsa::agent {

namespace {

constexpr unsigned kMaxLengthBytes = 3;  // 21 bits are enough for kMaxFrame

}  // namespace

bool FrameSplitter::take_length(std::span<const std::byte>& in) {
  while (!in.empty()) {
    const auto byte = std::to_integer<std::size_t>(in.front());
    in = in.subspan(1);
    length_ |= (byte & 0x7f) << (7 * length_bytes_);
    ++length_bytes_;
    const bool last = (byte & 0x80) == 0;
    if (length_ > kMaxFrame || (!last && length_bytes_ == kMaxLengthBytes)) {
      broken_ = true;
      return false;
    }
    if (last) {
      length_known_ = true;
      return true;
    }
  }
  return false;
}

FrameSplitter::Step FrameSplitter::take(std::span<const std::byte>& in,
                                        std::span<const std::byte>& frame) {
  if (broken_) return Step::Broken;
  if (!length_known_) {
    partial_.clear();  // the frame handed out before
    if (!take_length(in)) return broken_ ? Step::Broken : Step::NeedMore;
  }
  if (partial_.empty() && in.size() >= length_) {
    frame = in.first(length_);
    in = in.subspan(length_);
  } else {
    const std::size_t part = std::min(in.size(), length_ - partial_.size());
    partial_.append(as_text(in.first(part)));
    in = in.subspan(part);
    if (partial_.size() < length_) return Step::NeedMore;
    frame = as_bytes(partial_);
  }
  length_ = 0;
  length_bytes_ = 0;
  length_known_ = false;
  return Step::Frame;
}

bool append_frame(const google::protobuf::MessageLite& message, std::string& out) {
  std::size_t length = message.ByteSizeLong();
  if (length > kMaxFrame) return false;
  for (; length >= 0x80; length >>= 7)
    out.push_back(static_cast<char>(length | 0x80));
  out.push_back(static_cast<char>(length));
  return message.AppendPartialToString(&out);
}

bool parse_frame(std::span<const std::byte> frame, google::protobuf::MessageLite& message) {
  return message.ParseFromArray(frame.data(), static_cast<int>(frame.size()));
}

}  // namespace capsa::agent
