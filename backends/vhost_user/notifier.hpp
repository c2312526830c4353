#pragma once

#include <capsa/result.hpp>

/// eventfd(2) descriptors that came from the front-end: kicks in, calls and errors out.
namespace capsa::vhost_user {

/// Makes sure that `fd` is an eventfd and does not block: on anything else (a pipe, a file, a
/// socket) reading or writing could block the device's thread for as long as the peer likes.
result<void> adopt_notifier(int fd);

/// Adds one. A counter that is full has its reader woken already.
void notify(int fd) noexcept;

/// Takes what was added. False where nothing was.
bool drain(int fd) noexcept;

}  // namespace capsa::vhost_user
