#include <actors/protocol/spawn.hpp>
#include <actors/vm/vm.hpp>

#include <csignal>

namespace capsa::vm {

namespace {

// In the initrd's own root, which nobody sees any more once the image is the root.
constexpr const char* kLayers = "/capsa/layers/";
constexpr const char* kScratch = "/capsa/scratch";
constexpr const char* kRoot = "/capsa/root";

/// The layers, read-only, what is written on top of them, and both together as the new root.
SetupSpec image_setup(const ImageRoot& image, const std::string& device) {
  SetupSpec setup;
  std::string lower;
  for (std::size_t i = image.layers.size(); i != 0; --i) {
    const auto number = std::to_string(i);
    MountSpec layer;
    layer.source = device + number;
    layer.target = kLayers + number;
    layer.type = "erofs";
    layer.read_only = true;
    setup.mounts.push_back(std::move(layer));
    // The highest first.
    lower += (lower.empty() ? "" : ":") + (kLayers + number);
  }
  MountSpec scratch;
  scratch.source = "scratch";
  scratch.target = kScratch;
  scratch.type = "tmpfs";
  scratch.options = "mode=0755";
  if (image.scratch_mb != 0) scratch.options += ",size=" + std::to_string(image.scratch_mb) + "m";
  setup.mounts.push_back(std::move(scratch));
  MountSpec root;
  root.source = "image";
  root.target = kRoot;
  root.type = "overlay";
  root.options =
      "lowerdir=" + lower + ",upperdir=" + kScratch + "/upper,workdir=" + kScratch + "/work";
  setup.mounts.push_back(std::move(root));
  setup.new_root = kRoot;
  return setup;
}

}  // namespace

std::string image_device(const VmPlan& plan) {
  const auto before = disks_of(plan.boot, plan.config).size();
  return std::string("/dev/vd") + static_cast<char>('a' + before);
}

void VmState::set_up_root() {
  if (!plan_->image) return set_up_guest();
  self_
      ->request(units_.link, caf::infinite, protocol::setup_atom_v,
                protocol::box(image_setup(*plan_->image, image_device(*plan_))))
      .then([this] { set_up_guest(); },
            [this](const caf::error& why) {
              fail_main("making the image the root: ", protocol::from_caf(why));
            });
}

void VmState::make_directories(std::size_t next) {
  if (!plan_->image || next == plan_->image->directories.size()) return on_set_up();
  const auto& path = plan_->image->directories[next];
  self_->request(units_.link, caf::infinite, actors::mkdir_atom_v, path, true, 0755U)
      .then([this, next] { make_directories(next + 1); },
            [this, path](const caf::error& why) {
              fail_main("making the image's directory " + path + ": ", protocol::from_caf(why));
            });
}

bool VmState::signal_main_to_stop() {
  // SIGTERM is what the agent sends to everything that runs.
  if (!plan_->image || plan_->image->stop_signal == SIGTERM) return false;
  if (!main_ || exit_code_ || std::exchange(main_signalled_, true)) return false;
  self_
      ->request(units_.link, caf::infinite, actors::signal_atom_v, main_->id,
                plan_->image->stop_signal)
      .then([] {}, [this](const caf::error&) { ask_guest_to_stop(); });
  return true;
}

}  // namespace capsa::vm
