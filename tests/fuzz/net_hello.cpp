#include <algorithm>
#include <cstdlib>
#include <net/policy/hello_inspector.hpp>
#include <tests/support/fuzz_input.hpp>

using namespace capsa::net;
using capsa::test::FuzzInput;

/// A stream in one piece and in pieces, which must say the same. The first byte chooses the size
/// of the pieces.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FuzzInput input(data, size);
  const std::size_t piece = input.take<std::uint8_t>() + std::size_t{1};
  const auto stream = input.bytes(HelloInspector::kMaxBytes);
  HelloInspector whole;
  whole.feed(stream);
  HelloInspector parts;
  for (std::size_t at = 0; at < stream.size(); at += piece)
    parts.feed(stream.subspan(at, std::min(piece, stream.size() - at)));
  if (whole.state() != parts.state() || whole.name() != parts.name() ||
      whole.has_ech() != parts.has_ech()) {
    std::abort();
  }
  if (parts.seen().size() > HelloInspector::kMaxBytes + 1) std::abort();
  return 0;
}
