#pragma once

#include <linux/fuse.h>
#include <sys/stat.h>

#include <backends/virtio/fs/config.hpp>
#include <backends/virtio/fs/outcome.hpp>
#include <capsa/result.hpp>
#include <optional>
#include <string_view>

namespace capsa::virtio::fs {

/// What of a share's configuration decides who owns what and which bits a file may get. Pure
/// arithmetic on what it learned at the start about this process.
class AccessPolicy {
 public:
  /// Who a file is to belong to. Nothing: leave it as it is.
  struct Owner {
    std::optional<uid_t> user;
    std::optional<gid_t> group;
  };

  /// PermissionDenied where a writable Passthrough is asked for and this process may not act for
  /// other users.
  static result<AccessPolicy> create(Ownership ownership, bool read_only);

  bool read_only() const noexcept { return read_only_; }
  bool squashes() const noexcept { return ownership_ == Ownership::Squash; }

  std::uint32_t shown_user(uid_t user) const noexcept;
  std::uint32_t shown_group(gid_t group) const noexcept;

  /// The owner of what a request makes. Its group stays the directory's where that is set-group-ID.
  Owner maker(const fuse_in_header& request, mode_t directory_mode) const noexcept;
  /// What chown means here: EPERM for ids that a squashed guest has no name for.
  Outcome<Owner> change_owner(const struct statx& now, std::optional<std::uint32_t> user,
                              std::optional<std::uint32_t> group) const noexcept;

  /// The permission bits a file or directory gets where the guest asks for `mode`.
  mode_t permitted_mode(mode_t mode, bool directory) const noexcept;
  /// The permission bits a file must have before the guest changes its contents, or nothing where
  /// they are right. `guest_asks`: the request says that its user may not keep set-user-ID bits.
  std::optional<mode_t> mode_before_write(mode_t mode, bool guest_asks) const noexcept;
  /// Whether mode_before_write() can give something, so that writes need to look.
  bool watches_writes() const noexcept { return squashes() && keeps_bits_; }

  /// The flags a file is opened with on the host, of those the guest gave. EROFS where the share is
  /// read-only and the flags would change something.
  Outcome<int> open_flags(std::uint32_t guest_flags) const noexcept;

  /// 0 where an extended attribute of this name exists for the guest, else EOPNOTSUPP.
  int check_xattr(std::string_view name) const noexcept;

  /// access(2) as the guest's own kernel would decide it from the attributes it is shown.
  int check_access(const fuse_in_header& request, const struct statx& stat,
                   std::uint32_t mask) const noexcept;

 private:
  AccessPolicy() = default;

  Ownership ownership_ = Ownership::Squash;
  bool read_only_ = true;
  uid_t user_ = 0;
  gid_t group_ = 0;
  // With CAP_FSETID the kernel leaves set-user-ID bits on files that we write to.
  bool keeps_bits_ = false;
};

}  // namespace capsa::virtio::fs
