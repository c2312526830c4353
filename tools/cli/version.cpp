#include <tools/cli/version.hpp>

namespace capsa::cli {

const char* version() {
  return CAPSA_VERSION;
}

}  // namespace capsa::cli
