#include <ctime>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <tools/cli/commands.hpp>
#include <tools/cli/image_pull.hpp>
#include <tools/cli/report.hpp>

namespace capsa::cli {
namespace {

constexpr const char* kFooter = R"(
Images are pulled by skopeo, checked against their digests, and kept as one read-only file system a
layer, which all images that have it share. `capsa run --image REF` pulls what is missing by itself.

Examples:
  capsa image pull python:3.11
  capsa image list
  capsa image remove python:3.11
  capsa image prune)";

std::string date(std::chrono::system_clock::time_point when) {
  const auto time = std::chrono::system_clock::to_time_t(when);
  std::tm parts{};
  char text[32] = "";
  if (::localtime_r(&time, &parts) != nullptr) std::strftime(text, sizeof text, "%F %R", &parts);
  return text;
}

std::uint64_t bytes_of(const Image& image) {
  std::uint64_t sum = 0;
  for (const auto& layer : image.layers)
    sum += layer.bytes;
  return sum;
}

std::string mebibytes(std::uint64_t bytes) {
  constexpr std::uint64_t kMiB = std::uint64_t{1} << 20;
  return std::to_string((bytes + kMiB - 1) / kMiB) + " MiB";
}

int pull(ImageWords words) {
  words.pull = "always";
  const auto wanted = parse_image(words);
  if (!wanted) return report(wanted.error());
  const auto image = pull_image(*wanted);
  if (!image) return report(image.error());
  std::cout << image->reference << "  " << image->digest << "  " << mebibytes(bytes_of(*image))
            << '\n';
  return 0;
}

nlohmann::json to_json(const Image& image) {
  auto layers = nlohmann::json::array();
  for (const auto& layer : image.layers)
    layers.push_back(
        {{"diff_id", layer.diff_id}, {"file", layer.file_system.string()}, {"bytes", layer.bytes}});
  return {{"reference", image.reference},
          {"digest", image.digest},
          {"pulled", std::chrono::system_clock::to_time_t(image.pulled)},
          {"bytes", bytes_of(image)},
          {"layers", std::move(layers)}};
}

int list(bool json) {
  const auto images = ImageCache().list();
  if (!images) return report(images.error());
  if (json) {
    auto all = nlohmann::json::array();
    for (const auto& image : *images)
      all.push_back(to_json(image));
    std::cout << all.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << '\n';
    return 0;
  }
  for (const auto& image : *images)
    std::cout << image.reference << "  " << date(image.pulled) << "  " << image.layers.size()
              << (image.layers.size() == 1 ? " layer  " : " layers  ") << mebibytes(bytes_of(image))
              << '\n';
  return 0;
}

int remove(const std::vector<std::string>& references) {
  int status = 0;
  for (const auto& reference : references)
    if (const auto removed = ImageCache().remove(reference); !removed)
      status = report(removed.error());
  return status;
}

int prune() {
  const auto freed = ImageCache().prune();
  if (!freed) return report(freed.error());
  std::cout << "freed " << mebibytes(*freed) << '\n';
  return 0;
}

}  // namespace

void add_image(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("image", "Pull, list and remove OCI images");
  command->footer(kFooter);
  command->require_subcommand(1);

  auto words = std::make_shared<ImageWords>();
  auto* get = command->add_subcommand("pull", "Fetch an image, or what has changed of it");
  get->add_option("REFERENCE", words->reference, "The image")->required();
  add_pull_options(*get, *words);
  get->callback([&action, words] { action = [words] { return pull(*words); }; });

  auto json = std::make_shared<bool>(false);
  auto* show = command->add_subcommand("list", "List the images that are there");
  show->add_flag("--json", *json, "As JSON, with their layers");
  show->callback([&action, json] { action = [json] { return list(*json); }; });

  auto references = std::make_shared<std::vector<std::string>>();
  auto* drop = command->add_subcommand("remove", "Forget images; their layers stay until prune");
  drop->add_option("REFERENCE", *references, "The images")->required();
  drop->callback([&action, references] { action = [references] { return remove(*references); }; });

  command->add_subcommand("prune", "Remove layers that no image has")->callback([&action] {
    action = prune;
  });
}

}  // namespace capsa::cli
