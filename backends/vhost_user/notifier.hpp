#pragma once

#include <capsa/result.hpp>

/// eventfd(2) descriptors that came from the front-end: kicks in, calls and errors out. The
/// front-end shares their open file descriptions: the counter and O_NONBLOCK are as much its own,
/// at any time.
namespace capsa::vhost_user {

/// Makes sure that `fd` is an eventfd and does not block: on anything else (a pipe, a file, a
/// socket) writing could block the device's thread for as long as the peer likes.
result<void> adopt_notifier(int fd);

/// Adds one. A counter that is full has its reader woken already. Does not block whatever the peer
/// made of O_NONBLOCK, but for a race that the source tells of.
void notify(int fd) noexcept;

}  // namespace capsa::vhost_user
