#include <algorithm>
#include <backends/virtio/fs/protocol.hpp>

namespace capsa::virtio::fs {

std::size_t copied_bytes(std::uint32_t opcode, std::size_t total) noexcept {
  const std::size_t most =
      opcode == FUSE_WRITE ? sizeof(fuse_in_header) + sizeof(fuse_write_in) : kMaxRequestBytes;
  return std::min(total, most);
}

std::optional<std::string_view> ArgReader::take_string() noexcept {
  const auto* text = reinterpret_cast<const char*>(rest_.data());
  const std::size_t length = rest_.empty() ? 0 : ::strnlen(text, rest_.size());
  if (length == rest_.size()) return std::nullopt;
  rest_ = rest_.subspan(length + 1);
  return std::string_view(text, length);
}

std::optional<std::string_view> ArgReader::take_last_string() noexcept {
  const std::optional<std::string_view> text = take_string();
  if (!rest_.empty()) return std::nullopt;
  return text;
}

Outcome<ParsedRequest> parse_request(std::span<const std::byte> copied,
                                     std::size_t total) noexcept {
  ParsedRequest request;
  ArgReader whole(copied);
  if (!whole.take(request.header)) return Errno{EINVAL};
  const std::size_t length = request.header.len;
  // The guest may make more available than the request is long, never less.
  if (length < sizeof(fuse_in_header) || length > total) return Errno{EINVAL};
  // Extensions (7.38) lie at the end. None is negotiated, so none is looked at.
  const std::size_t extensions = std::size_t{request.header.total_extlen} * 8;
  if (extensions > length - sizeof(fuse_in_header)) return Errno{EINVAL};
  const std::size_t end = length - extensions;
  if (end > copied.size()) {
    // Only WRITE leaves bytes behind; for anything else the request is longer than any can be.
    if (request.header.opcode != FUSE_WRITE) return Errno{E2BIG};
    request.payload = end - copied.size();
  }
  const std::size_t args_end = std::min(end, copied.size());
  request.args =
      ArgReader(copied.subspan(sizeof(fuse_in_header), args_end - sizeof(fuse_in_header)));
  return request;
}

int check_name(std::string_view name) noexcept {
  if (name.empty() || name == "." || name == "..") return EINVAL;
  if (name.size() > kMaxName) return ENAMETOOLONG;
  if (name.find('/') != std::string_view::npos) return EINVAL;
  return name.find('\0') != std::string_view::npos ? EINVAL : 0;
}

}  // namespace capsa::virtio::fs
