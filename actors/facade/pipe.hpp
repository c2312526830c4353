#pragma once

#include <capsa/detail/unique_fd.hpp>
#include <capsa/error.hpp>
#include <capsa/result.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

namespace capsa::facade {

struct Pipe {
  UniqueFd read;
  UniqueFd write;
};

/// Both ends do not block.
inline result<Pipe> make_pipe() {
  int fds[2];
  if (::pipe2(fds, O_CLOEXEC | O_NONBLOCK) != 0) return error_from_errno(errno, "make a pipe");
  return Pipe{UniqueFd(fds[0]), UniqueFd(fds[1])};
}

}  // namespace capsa::facade
