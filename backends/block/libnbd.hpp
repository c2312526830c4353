#pragma once

#include <libnbd.h>

#include <capsa/result.hpp>

namespace capsa::block {

// What we call of libnbd, without its prefix.
#define CAPSA_LIBNBD_FUNCTIONS(X) \
  X(create)                       \
  X(close)                        \
  X(get_error)                    \
  X(get_errno)                    \
  X(set_pread_initialize)         \
  X(set_uri_allow_transports)     \
  X(set_export_name)              \
  X(get_block_size)               \
  X(get_size)                     \
  X(is_read_only)                 \
  X(can_flush)                    \
  X(can_fua)                      \
  X(can_trim)                     \
  X(can_zero)                     \
  X(aio_connect_unix)             \
  X(aio_connect_uri)              \
  X(aio_disconnect)               \
  X(aio_flush)                    \
  X(aio_get_direction)            \
  X(aio_get_fd)                   \
  X(aio_is_closed)                \
  X(aio_is_connecting)            \
  X(aio_is_dead)                  \
  X(aio_is_ready)                 \
  X(aio_notify_read)              \
  X(aio_notify_write)             \
  X(aio_pread)                    \
  X(aio_pwrite)                   \
  X(aio_trim)                     \
  X(aio_zero)

/// libnbd, loaded at the first use: it brings TLS, XML and Unicode with it, a dozen libraries that
/// cost every program more time at its start, and more memory, than a machine without a disk does.
struct Libnbd {
#define CAPSA_LIBNBD_MEMBER(name) decltype(&nbd_##name) name = nullptr;
  CAPSA_LIBNBD_FUNCTIONS(CAPSA_LIBNBD_MEMBER)
#undef CAPSA_LIBNBD_MEMBER
};

/// NotFound where it is not installed. Loads once in a process, and blocks for as long.
/// Thread-safe.
result<void> load_libnbd();

/// Only after load_libnbd() was well.
const Libnbd& libnbd();

}  // namespace capsa::block
