#pragma once

namespace capsa::cli {

/// The project's version, e.g. "0.1.0".
const char* version();

}  // namespace capsa::cli
