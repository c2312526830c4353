#pragma once

#include <actors/facade/impl.hpp>
#include <capsa/stream_reader.hpp>
#include <cstdint>
#include <memory>

namespace capsa::facade {

/// One stream of a process that was opened; 0 is its output, 1 are its errors. Discards what comes
/// once it has gone.
class ProcessStream final : public detail::StreamSource {
 public:
  ProcessStream(std::shared_ptr<detail::ProcessImpl> process, std::uint32_t stream)
      : process_(std::move(process)), stream_(stream) {}
  ~ProcessStream() override;

  future<std::string> read() override;
  result<UniqueFd> open_fd() override;

 private:
  std::shared_ptr<detail::ProcessImpl> process_;
  std::uint32_t stream_;
};

}  // namespace capsa::facade
