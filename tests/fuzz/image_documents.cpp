#include <backends/image/image_record.hpp>
#include <backends/image/image_reference.hpp>
#include <backends/image/oci_document.hpp>
#include <cstdint>
#include <cstdlib>

// The first byte chooses who reads the rest: a manifest or index, a configuration, a record of the
// cache, a reference. What was read once must be read again from what was written of it.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace capsa::image;
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 4) {
    case 0: {
      const auto document = parse_manifest("it", text);
      if (!document) break;
      if (const auto* index = std::get_if<Index>(&*document)) {
        static_cast<void>(choose_platform("it", *index).ok());
        static_cast<void>(choose_name("it", *index, "latest").ok());
      } else if (std::get<Manifest>(*document).layers.size() > kMaxLayers) {
        std::abort();
      }
      break;
    }
    case 1:
      static_cast<void>(parse_config("it", text).ok());
      break;
    case 2:
      if (const auto image = parse_record(text, "/layers")) {
        const auto again = parse_record(format_record(*image), "/layers");
        if (!again || !(*again == *image)) std::abort();
      }
      break;
    default:
      if (const auto reference = parse_image_reference(text)) {
        const auto again = parse_image_reference(reference->canonical);
        if (!again || again->canonical != reference->canonical) std::abort();
      }
      break;
  }
  return 0;
}
