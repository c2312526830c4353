#include <actors/network/nft.hpp>
#include <backends/qemu/child_monitor.hpp>
#include <backends/runtime_dir/libexec.hpp>
#include <memory>

namespace capsa::network {

namespace {

/// One that runs. It is kept by what waits for it, and goes when it has told of its end.
struct Run {
  std::unique_ptr<qemu::ChildMonitor> child;
  std::function<void(result<void>)> done;
};

result<void> outcome(qemu::ExitStatus status, std::string words) {
  if (!status.signaled && status.value == 0) return {};
  while (words.ends_with('\n'))
    words.pop_back();
  return capsa::error(ErrorCode::BackendFailed,
                      "nft ended (" + status.describe() + ")" + (words.empty() ? "" : ": " + words),
                      "it needs CAP_NET_ADMIN, which a child inherits from root only");
}

void watch(Loop& loop, const std::shared_ptr<Run>& run, result<qemu::ChildProcess> child) {
  if (!child) return run->done(child.error());
  run->child =
      std::make_unique<qemu::ChildMonitor>(loop, std::move(*child), [run](qemu::ExitStatus status) {
        // It destroys what calls this, and with that this very function.
        const auto kept = run;
        const auto result = outcome(status, kept->child->errors());
        kept->child.reset();
        kept->done(result);
      });
}

}  // namespace

void run_nft(Loop& loop, qemu::Spawner& spawner, const std::filesystem::path& nft,
             const std::string& commands, std::function<void(result<void>)> done) {
  auto run = std::make_shared<Run>();
  run->done = std::move(done);
  qemu::SpawnRequest request;
  request.launcher = libexec_program("capsa-launcher");
  if (request.launcher.empty())
    return run->done(
        capsa::error(ErrorCode::NotFound, "capsa-launcher is not installed",
                     "install capsa's helper programs, or set CAPSA_LIBEXEC to their directory"));
  request.program = nft;
  request.arguments = {commands};
  spawner.spawn(std::move(request), [run, at = &loop](result<qemu::ChildProcess> child) {
    // Shared: a callback of the loop must be copyable. Where nobody takes it, letting go kills it.
    auto held = std::make_shared<result<qemu::ChildProcess>>(std::move(child));
    at->post([run, held, at] { watch(*at, run, std::move(*held)); });
  });
}

}  // namespace capsa::network
