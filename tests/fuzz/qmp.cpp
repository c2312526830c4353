// QMP as a hostile QEMU might speak it. The first byte says how the rest is cut; however that is,
// the session must come to the same conclusions.
#include <backends/qemu/qmp.hpp>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace {

struct Outcome {
  std::size_t events = 0;
  std::size_t values = 0;
  std::size_t errors = 0;
  bool failed = false;

  bool operator==(const Outcome&) const = default;
};

Outcome converse(std::string_view bytes, std::size_t piece) {
  Outcome outcome;
  {
    capsa::qemu::QmpSession session([&](const capsa::qemu::QmpEvent& event) {
      if (event.name.empty() || !event.data.is_object()) std::abort();
      ++outcome.events;
    });
    constexpr std::size_t kCommands = 4;
    for (std::size_t i = 0; i < kCommands; ++i) {
      session.command("query-status", nullptr, [&](const capsa::result<nlohmann::json>& reply) {
        ++(reply.ok() ? outcome.values : outcome.errors);
      });
    }
    while (!bytes.empty()) {
      const auto fed = session.feed(bytes.substr(0, piece));
      bytes.remove_prefix(std::min(piece, bytes.size()));
      if (fed.ok() == session.closed()) std::abort();
      if (!fed.ok()) outcome.failed = true;
      if (fed.ok() && outcome.failed) std::abort();
    }
    session.close(capsa::error(capsa::ErrorCode::VmEnded, {}));
    if (outcome.values + outcome.errors != kCommands) std::abort();
  }
  return outcome;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Outcome whole = converse(bytes, bytes.size() + 1);
  if (!(converse(bytes, std::size_t{data[0]} + 1) == whole)) std::abort();
  return 0;
}
