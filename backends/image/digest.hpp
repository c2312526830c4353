#pragma once

#include <capsa/result.hpp>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace capsa::image {

/// SHA-256 of a stream, by libcrypto, which uses the processor's own instructions for it.
class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void add(std::span<const std::byte> bytes);
  void add(std::string_view bytes) { add(std::as_bytes(std::span(bytes))); }
  /// "sha256:" and 64 digits. The last call.
  std::string finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string sha256(std::string_view bytes);

/// "sha256:" and 64 lower-case hexadecimal digits; nothing else, so that it is safe as a file's
/// name. UnsupportedFeature for another algorithm, else InvalidConfig; `what` is named.
result<void> check_digest(std::string_view what, std::string_view digest);

/// The 64 digits of a digest that was checked.
inline std::string hex_of(std::string_view digest) {
  return std::string(digest.substr(digest.find(':') + 1));
}

}  // namespace capsa::image
