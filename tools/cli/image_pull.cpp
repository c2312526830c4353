#include <unistd.h>

#include <tools/cli/image_pull.hpp>
#include <tools/cli/progress.hpp>

namespace capsa::cli {

void add_pull_options(CLI::App& command, ImageWords& words) {
  command
      .add_option("--auth-file", words.auth_file,
                  "Credentials, as `skopeo login` and `docker login` write them")
      ->type_name("FILE");
  command.add_flag("--insecure", words.insecure,
                   "Let the registry answer by plain HTTP, or without a proper certificate");
}

void add_image_options(CLI::App& command, ImageWords& words) {
  command
      .add_option("--image", words.reference,
                  "Run an OCI image: its file system is the guest's root, and COMMAND takes the "
                  "place of its own and follows its entrypoint")
      ->type_name("REF|oci:DIR|oci-archive:FILE|docker-archive:FILE");
  command
      .add_option("--pull", words.pull, "Ask the registry for the image: always, missing, never")
      ->capture_default_str()
      ->type_name("WHEN");
  add_pull_options(command, words);
}

result<OciImage> parse_image(const ImageWords& words) {
  OciImage image;
  image.reference = words.reference;
  image.options.auth_file = words.auth_file;
  image.options.insecure = words.insecure;
  if (words.pull == "always") {
    image.options.pull = PullPolicy::Always;
  } else if (words.pull == "never") {
    image.options.pull = PullPolicy::Never;
  } else if (words.pull != "missing") {
    return error(ErrorCode::InvalidConfig, "--pull: \"" + words.pull + "\" is not understood",
                 "there are: always, missing, never");
  }
  return image;
}

std::string describe_progress(const ImageProgress& progress, bool layers) {
  const std::string what = progress.step == ImageProgress::Step::Unpacking ? "unpack" : "download";
  if (!layers || progress.layers == 0) return what;
  return what + " layer " + std::to_string(progress.layer + 1) + " of " +
         std::to_string(progress.layers);
}

result<Image> pull_image(const OciImage& image) {
  // Elsewhere every step is a line: two are enough, however many layers there are.
  const bool terminal = ::isatty(STDERR_FILENO) != 0;
  ProgressBar bar(terminal);
  auto pulled = ImageCache().pull(image, [&](const ImageProgress& progress) {
    if (progress.step == ImageProgress::Step::Done) return;
    bar.show(describe_progress(progress, terminal), progress.bytes, progress.total_bytes);
  });
  bar.finish();
  return pulled;
}

}  // namespace capsa::cli
