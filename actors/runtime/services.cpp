#include <actors/network/clusters.hpp>
#include <actors/runtime/services.hpp>

#include <algorithm>
#include <cstdlib>

namespace capsa {

namespace {

RuntimeDir make_runtime_dir(const RuntimeOptions& options) {
  auto made = options.runtime_dir.empty() ? RuntimeDir::create()
                                          : RuntimeDir::create_in(options.runtime_dir);
  if (!made.ok()) throw made.error();
  return std::move(*made);
}

}  // namespace

Services::Services(caf::actor_system& actor_system, const RuntimeOptions& runtime_options,
                   std::shared_ptr<Callbacks> runtime_callbacks)
    : callbacks_(std::move(runtime_callbacks)),
      system(actor_system),
      options(runtime_options),
      log(options.log_level, options.log),
      runtime_dir(make_runtime_dir(options)) {
  const unsigned loops = std::clamp(options.io_loops, 1U, 64U);
  for (unsigned i = 0; i < loops; ++i)
    loops_.push_back(std::make_unique<loop::EpollLoop>(system));
  files_ = std::make_unique<loop::FilePool>(std::clamp(options.file_threads, 1U, 64U));
  spawner_ = std::make_unique<qemu::Spawner>();
  network_ = std::make_unique<network::NetworkHost>(system, *loops_.front());
  clusters_ = std::make_unique<network::Clusters>(*network_);
  // What a killed program left: its machines have died with it, its files have not.
  const auto base = options.runtime_dir.empty() ? runtime_base() : options.runtime_dir;
  if (const auto found = clean_leftovers_in(base); found.ok()) {
    for (const auto& leftover : *found)
      log.write(LogLevel::Info, "runtime", "runtime.leftover",
                "removed " + leftover.directory.string() + " of dead process " +
                    std::to_string(leftover.owner));
  } else {
    log.write(LogLevel::Warning, "runtime", "runtime.leftover", found.error().what());
  }
}

Services::~Services() {
  // Their members have ended; loops end with the last actor that lives there.
  clusters_->end();
  // It posts to the loops what becomes of its children.
  spawner_.reset();
  // Before the pool: what a loop still has to do may hand it more work. What the pool then finishes
  // is posted to a loop that stands still, and dropped with it.
  for (auto& loop : loops_)
    loop->stop();
  files_.reset();
}

loop::EpollLoop& Services::next_loop() {
  return *loops_[next_loop_++ % loops_.size()];
}

std::filesystem::path Services::scratch_dir() const {
  std::error_code ignored;
  if (!options.scratch_dir.empty()) return std::filesystem::absolute(options.scratch_dir, ignored);
  const char* const chosen = std::getenv("TMPDIR");
  // Not /tmp, which is often in memory.
  return chosen != nullptr && *chosen == '/' ? chosen : "/var/tmp";
}

result<std::shared_ptr<block::FileIo>> Services::file_io(loop::EpollLoop& loop) {
  std::lock_guard lock(mutex_);
  auto& known = file_io_[&loop];
  if (auto io = known.lock()) return io;
  auto made = block::make_file_io(loop);
  if (made.ok()) known = *made;
  return made;
}

result<qemu::QemuInfo> Services::qemu() {
  std::lock_guard lock(mutex_);
  // A machine that has no QEMU may get one while the program runs; one that has keeps it.
  if (!qemu_ || !qemu_->ok()) qemu_ = qemu::find_qemu(options.qemu);
  return *qemu_;
}

}  // namespace capsa
