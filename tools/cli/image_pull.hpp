#pragma once

#include <CLI/CLI.hpp>
#include <capsa/image.hpp>
#include <string>

namespace capsa::cli {

/// What the command line says about an image, as written.
struct ImageWords {
  std::string reference;
  std::string pull = "missing";
  std::string auth_file;
  bool insecure = false;

  /// Whether nothing is said about how it is had.
  bool is_plain() const { return pull == "missing" && auth_file.empty() && !insecure; }
};

/// --image REF, and how it is had: --pull, --auth-file, --insecure.
void add_image_options(CLI::App& command, ImageWords& words);
/// Only how it is had.
void add_pull_options(CLI::App& command, ImageWords& words);

/// InvalidConfig.
result<OciImage> parse_image(const ImageWords& words);

/// ImageCache::pull(), with a bar on a terminal and lines elsewhere, where there is anything to do.
result<Image> pull_image(const OciImage& image);

/// "unpack layer 2 of 7", or "unpack" without `layers`.
std::string describe_progress(const ImageProgress& progress, bool layers);

}  // namespace capsa::cli
