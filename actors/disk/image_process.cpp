#include <actors/disk/image_process.hpp>
#include <backends/runtime_dir/libexec.hpp>

#include <unistd.h>

#include <utility>

namespace capsa::disk {

namespace {

// It has little to write: what the guest flushed is on the disk already.
constexpr std::chrono::seconds kPatience{10};

/// Where Debian and others have programs; the environment of the host program decides first.
result<std::filesystem::path> find_program(const std::string& name) {
  const char* variable = std::getenv("PATH");
  std::string_view rest = variable != nullptr ? variable : "/usr/local/bin:/usr/bin:/bin";
  while (!rest.empty()) {
    const auto end = rest.find(':');
    const std::filesystem::path file = std::filesystem::path(rest.substr(0, end)) / name;
    if (file.is_absolute() && ::access(file.c_str(), X_OK) == 0) return file;
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
  }
  return capsa::error(ErrorCode::BackendUnavailable, name + " is not installed",
                      "apt-get install qemu-system-common, or convert the disk to raw: "
                      "qemu-img convert -O raw");
}

}  // namespace

result<std::unique_ptr<ImageProcess>> ImageProcess::start(Loop& loop, qemu::Spawner& spawner,
                                                          const block::ImageServerConfig& config,
                                                          const std::filesystem::path& directory,
                                                          const std::string& name, Lost lost,
                                                          const UniqueFd& image) {
  auto command = block::image_server_command(config, directory, name);
  if (!command) return command.error();
  auto listener = block::listen_for_image_server(command->socket);
  if (!listener) return listener.error();

  qemu::SpawnRequest request;
  request.launcher = libexec_program("capsa-launcher");
  if (request.launcher.empty())
    return capsa::error(ErrorCode::NotFound, "capsa-launcher is not installed",
                        "install capsa's helper programs, or set CAPSA_LIBEXEC to their directory");
  auto program = find_program(command->program);
  if (!program) return program.error();
  request.program = std::move(*program);
  request.arguments = command->arguments;
  auto copy = qemu::duplicate_for_child(listener->get());
  if (!copy) return copy.error();
  request.fds.push_back({std::move(*copy), block::kListenerFd});
  if (image) {
    copy = qemu::duplicate_for_child(image.get());
    if (!copy) return copy.error();
    request.fds.push_back({std::move(*copy), block::kImageFd});
  }

  auto process =
      std::unique_ptr<ImageProcess>(new ImageProcess(loop, std::move(*command), std::move(lost)));
  spawner.spawn(std::move(request), [weak = std::weak_ptr(process->self_),
                                     at = &loop](result<qemu::ChildProcess> child) {
    // Shared: a callback of the loop must be copyable. Where nobody takes it, letting go kills it.
    auto held = std::make_shared<result<qemu::ChildProcess>>(std::move(child));
    at->post([weak, held] {
      if (const auto self = weak.lock()) (*self)->take_child(std::move(*held));
    });
  });
  return process;
}

ImageProcess::ImageProcess(Loop& loop, block::ImageServerCommand command, Lost lost)
    : loop_(loop),
      command_(std::move(command)),
      lost_(std::move(lost)),
      self_(std::make_shared<ImageProcess*>(this)) {}

ImageProcess::~ImageProcess() {
  if (patience_) loop_.cancel(*patience_);
  ::unlink(command_.socket.c_str());
}

void ImageProcess::take_child(result<qemu::ChildProcess> child) {
  starting_ = false;
  if (!child) {
    if (on_end_) return gone();
    if (const auto lost = std::exchange(lost_, nullptr)) lost(child.error());
    return;
  }
  child_ = std::make_unique<qemu::ChildMonitor>(
      loop_, std::move(*child), [this](qemu::ExitStatus status) { exited(status); });
  if (on_end_) child_->terminate();
}

void ImageProcess::exited(qemu::ExitStatus status) {
  std::string words = child_->errors();
  while (words.ends_with('\n'))
    words.pop_back();
  child_.reset();
  if (on_end_) return gone();
  const auto lost = std::exchange(lost_, nullptr);
  if (!lost) return;
  lost({ErrorCode::BackendFailed, command_.program + " ended (" + status.describe() + ")" +
                                      (words.empty() ? "" : ": " + words)});
}

void ImageProcess::end(std::function<void()> done) {
  lost_ = nullptr;
  if (!starting_ && !child_) return done();
  on_end_ = std::move(done);
  if (child_) child_->terminate();
  patience_ = loop_.call_after(kPatience, [this] {
    patience_.reset();
    if (child_) child_->kill();
  });
}

void ImageProcess::gone() {
  // Moved out, and nothing after it: it may destroy this.
  const auto done = std::exchange(on_end_, nullptr);
  done();
}

}  // namespace capsa::disk
