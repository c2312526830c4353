#pragma once

#include <actors/facade/impl.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <memory>

namespace capsa::facade {

/// The read end of a stream into which the console's output is carried, as fast as it is read.
result<UniqueFd> reader_fd(const std::shared_ptr<detail::ConsoleImpl>& console);
/// The write end of a stream that is carried to the console.
result<UniqueFd> writer_fd(const std::shared_ptr<detail::ConsoleImpl>& console);

}  // namespace capsa::facade
