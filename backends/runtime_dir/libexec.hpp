#pragma once

#include <filesystem>
#include <string_view>

namespace capsa {

/// Where a helper program of this library ("capsa-launcher", "capsa-agent") is; empty where it is
/// nowhere. Looked for in this order, the first executable file wins:
///  1. the directory named by the environment variable CAPSA_LIBEXEC;
///  2. the build tree, only while the running program itself lies in it: a path of a build tree
///     that is gone may be anybody's by now, and must not be run by an installed program;
///  3. `../libexec/capsa` beside the running program, for trees that were moved after installation;
///  4. the directory it was installed to.
/// Thread-safe as long as nothing changes the environment.
std::filesystem::path libexec_program(std::string_view name);

}  // namespace capsa
