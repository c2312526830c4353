#pragma once

#include <agent/host/session.hpp>

namespace capsa::agent {

/// Reads a whole file into memory. More than `max_bytes`: resource_exhausted. The session must
/// outlive the request.
RequestId read_whole_file(Session& session, const std::string& path, std::size_t max_bytes,
                          Callback<std::vector<std::byte>> done);

/// Writes `content` as the whole file (or at its end, with options.append). The session must
/// outlive the request.
RequestId write_whole_file(Session& session, const std::string& path,
                           const WriteFileOptions& options, std::vector<std::byte> content,
                           Callback<void> done);

}  // namespace capsa::agent
