// Extended attributes: SETXATTR, GETXATTR, LISTXATTR, REMOVEXATTR. By way of /proc/self/fd, as the
// f… calls refuse O_PATH descriptors; nothing is opened by that.

#include <sys/xattr.h>

#include <algorithm>
#include <backends/virtio/fs/operations.hpp>
#include <cerrno>
#include <string>

namespace capsa::virtio::fs {
namespace {

/// fuse_setxattr_in without what FUSE_SETXATTR_EXT adds, which is not negotiated.
struct SetXattr {
  std::uint32_t size;
  std::uint32_t flags;
};
static_assert(sizeof(SetXattr) == FUSE_COMPAT_SETXATTR_IN_SIZE);

int check_xattr_name(std::string_view name) noexcept {
  if (name.empty()) return EINVAL;
  return name.size() > kMaxXattrName ? ERANGE : 0;
}

/// The answer to both GETXATTR and LISTXATTR: size 0 asks how large the value is.
int reply_value(Call& call, std::uint32_t asked, std::span<const std::byte> value) {
  if (asked == 0) {
    if (call.room < sizeof(fuse_getxattr_out)) return EIO;
    call.body.append(fuse_getxattr_out{static_cast<std::uint32_t>(value.size()), 0});
    return 0;
  }
  if (value.size() > asked || value.size() > call.room) return ERANGE;
  call.body.append_bytes(value);
  return 0;
}

}  // namespace

int Operations::setxattr(Call& call) {
  SetXattr in{};
  if (!call.args.take(in)) return EINVAL;
  const auto name = call.args.take_string();
  if (!name) return EINVAL;
  if (const int bad = check_xattr_name(*name); bad != 0) return bad;
  if (in.size > kMaxXattrSize) return E2BIG;
  if (call.args.rest().size() != in.size) return EINVAL;
  if ((in.flags & ~std::uint32_t{XATTR_CREATE | XATTR_REPLACE}) != 0) return EINVAL;
  if (const int refused = policy_.check_xattr(*name); refused != 0) return refused;
  const Outcome<Pin> pin = inodes_->pin(call.header.nodeid);
  if (!pin) return pin.error();
  const int set = ::setxattr(ProcPath(pin->fd()).c_str(), name->data(), call.args.rest().data(),
                             in.size, static_cast<int>(in.flags));
  return set == 0 ? 0 : errno;
}

int Operations::getxattr(Call& call) {
  fuse_getxattr_in in{};
  if (!call.args.take(in)) return EINVAL;
  const auto name = call.args.take_last_string();
  if (!name) return EINVAL;
  if (const int bad = check_xattr_name(*name); bad != 0) return bad;
  if (const int refused = policy_.check_xattr(*name); refused != 0) return refused;
  const Outcome<Pin> pin = inodes_->pin(call.header.nodeid);
  if (!pin) return pin.error();
  std::vector<std::byte> value(kMaxXattrSize);
  const ssize_t size =
      ::getxattr(ProcPath(pin->fd()).c_str(), name->data(), value.data(), value.size());
  if (size < 0) return errno;
  return reply_value(call, in.size, std::span(value).first(static_cast<std::size_t>(size)));
}

int Operations::listxattr(Call& call) {
  fuse_getxattr_in in{};
  if (!call.args.take(in)) return EINVAL;
  const Outcome<Pin> pin = inodes_->pin(call.header.nodeid);
  if (!pin) return pin.error();
  std::string all(kMaxXattrSize, '\0');
  const ssize_t size = ::listxattr(ProcPath(pin->fd()).c_str(), all.data(), all.size());
  if (size < 0) return errno;
  all.resize(static_cast<std::size_t>(size));
  // Names, each with its NUL. What the guest may not have does not exist for it.
  std::string shown;
  for (std::size_t at = 0; at < all.size();) {
    const std::string_view name(all.c_str() + at);
    if (policy_.check_xattr(name) == 0) shown.append(name).push_back('\0');
    at += name.size() + 1;
  }
  return reply_value(call, in.size, std::as_bytes(std::span(shown)));
}

int Operations::removexattr(Call& call) {
  const auto name = call.args.take_last_string();
  if (!name) return EINVAL;
  if (const int bad = check_xattr_name(*name); bad != 0) return bad;
  if (const int refused = policy_.check_xattr(*name); refused != 0) return refused;
  const Outcome<Pin> pin = inodes_->pin(call.header.nodeid);
  if (!pin) return pin.error();
  return ::removexattr(ProcPath(pin->fd()).c_str(), name->data()) == 0 ? 0 : errno;
}

}  // namespace capsa::virtio::fs
