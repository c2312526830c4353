#include <algorithm>
#include <backends/vhost_user/message.hpp>
#include <iterator>
#include <string>

namespace capsa::vhost_user {
namespace {

/// A front-end that breaks the protocol is a hypervisor that does.
error broken(std::string message) {
  return {ErrorCode::BackendFailed, "vhost-user: " + std::move(message)};
}

}  // namespace

std::string name_of(std::uint32_t request) {
  switch (static_cast<Request>(request)) {
    case Request::GetFeatures:
      return "GET_FEATURES";
    case Request::SetFeatures:
      return "SET_FEATURES";
    case Request::SetOwner:
      return "SET_OWNER";
    case Request::ResetOwner:
      return "RESET_OWNER";
    case Request::SetMemTable:
      return "SET_MEM_TABLE";
    case Request::SetLogBase:
      return "SET_LOG_BASE";
    case Request::SetLogFd:
      return "SET_LOG_FD";
    case Request::SetVringNum:
      return "SET_VRING_NUM";
    case Request::SetVringAddr:
      return "SET_VRING_ADDR";
    case Request::SetVringBase:
      return "SET_VRING_BASE";
    case Request::GetVringBase:
      return "GET_VRING_BASE";
    case Request::SetVringKick:
      return "SET_VRING_KICK";
    case Request::SetVringCall:
      return "SET_VRING_CALL";
    case Request::SetVringErr:
      return "SET_VRING_ERR";
    case Request::GetProtocolFeatures:
      return "GET_PROTOCOL_FEATURES";
    case Request::SetProtocolFeatures:
      return "SET_PROTOCOL_FEATURES";
    case Request::GetQueueNum:
      return "GET_QUEUE_NUM";
    case Request::SetVringEnable:
      return "SET_VRING_ENABLE";
    case Request::GetConfig:
      return "GET_CONFIG";
    case Request::SetConfig:
      return "SET_CONFIG";
    case Request::ResetDevice:
      return "RESET_DEVICE";
  }
  return "request " + std::to_string(request);
}

std::vector<std::byte> encode_reply(std::uint32_t request, std::span<const std::byte> payload) {
  const Header header{request, kVersion | kFlagReply, static_cast<std::uint32_t>(payload.size())};
  const auto head = std::as_bytes(std::span(&header, 1));
  std::vector<std::byte> bytes(head.begin(), head.end());
  bytes.insert(bytes.end(), payload.begin(), payload.end());
  return bytes;
}

std::size_t MessageReader::wants() const noexcept {
  return (have_ < sizeof(Header) ? sizeof(Header) : total()) - have_;
}

result<void> MessageReader::check_header() const {
  const Header& header = message_.header;
  if ((header.flags & kVersionMask) != kVersion) {
    return broken(name_of(header.request) + " in protocol version " +
                  std::to_string(header.flags & kVersionMask));
  }
  if ((header.flags & kFlagReply) != 0) {
    return broken(name_of(header.request) + " is a reply to nothing");
  }
  if (header.size > kMaxPayload) {
    return broken(name_of(header.request) + " announces " + std::to_string(header.size) + " bytes");
  }
  return {};
}

result<std::size_t> MessageReader::feed(std::span<const std::byte> bytes,
                                        std::vector<UniqueFd> fds) {
  if (fds.size() > kMaxFds - message_.fds.size()) {
    return broken("more than " + std::to_string(kMaxFds) + " descriptors in one message");
  }
  std::move(fds.begin(), fds.end(), std::back_inserter(message_.fds));
  std::size_t used = 0;
  if (have_ < sizeof(Header)) {
    used = std::min(bytes.size(), sizeof(Header) - have_);
    std::copy_n(bytes.begin(), used,
                std::as_writable_bytes(std::span(&message_.header, 1)).begin() +
                    static_cast<std::ptrdiff_t>(have_));
    have_ += used;
    if (have_ < sizeof(Header)) return used;
    if (auto checked = check_header(); !checked) return checked.error();
    message_.payload.reserve(message_.header.size);
  }
  const auto rest = bytes.subspan(used, std::min(bytes.size() - used, total() - have_));
  message_.payload.insert(message_.payload.end(), rest.begin(), rest.end());
  have_ += rest.size();
  return used + rest.size();
}

std::optional<Message> MessageReader::take() {
  if (have_ < sizeof(Header) || have_ != total()) return std::nullopt;
  have_ = 0;
  return std::exchange(message_, Message{});
}

}  // namespace capsa::vhost_user
