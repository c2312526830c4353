#include <capsa/disk.hpp>
#include <iostream>
#include <memory>
#include <tools/cli/commands.hpp>
#include <tools/cli/options.hpp>
#include <tools/cli/report.hpp>

namespace capsa::cli {
namespace {

constexpr const char* kFooter = R"(
FILE is a raw image, or a qcow2 one where its name ends in .qcow2 or is followed by :qcow2.

Examples:
  capsa disk create data.qcow2 10G
  capsa run --disk data.qcow2 -- sh -c 'cat /proc/partitions'
  capsa run --disk data.qcow2:overlay -- COMMAND    what it writes is forgotten)";

struct Words {
  std::string file;
  std::string size;
};

/// FILE with a format and nothing else.
result<DiskImage> parse_file(const std::string& text) {
  auto image = parse_disk("FILE", text);
  if (image && (image->is_read_only || image->is_overlay))
    return error(ErrorCode::InvalidConfig, "FILE: \"" + text + "\" is not understood",
                 "write FILE, FILE:raw or FILE:qcow2");
  return image;
}

int create(const Words& words) {
  const auto image = parse_file(words.file);
  if (!image) return report(image.error());
  const auto size = parse_size(words.size);
  if (!size) return report(size.error());
  const auto made = create_disk_image(*image, *size);
  return made ? 0 : report(made.error());
}

int info(const Words& words) {
  const auto image = parse_file(words.file);
  if (!image) return report(image.error());
  const auto size = disk_size(*image);
  if (!size) return report(size.error());
  std::cout << "format " << to_string(image->effective_format()) << "\nsize " << *size
            << " bytes\n";
  return 0;
}

}  // namespace

void add_disk(CLI::App& app, Action& action) {
  auto* command = app.add_subcommand("disk", "Make disk images and look at them");
  command->footer(kFooter);
  command->require_subcommand(1);
  const auto words = std::make_shared<Words>();
  auto* make = command->add_subcommand("create", "Make an empty image that grows as it is written");
  make->add_option("FILE", words->file, "The image, which must not be there")->required();
  make->add_option("SIZE", words->size, "Of the disk: bytes, or with K, M, G or T")->required();
  make->callback([&action, words] { action = [words] { return create(*words); }; });
  auto* look = command->add_subcommand("info", "Print an image's format and size");
  look->add_option("FILE", words->file, "The image")->required();
  look->callback([&action, words] { action = [words] { return info(*words); }; });
}

}  // namespace capsa::cli
