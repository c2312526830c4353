#pragma once

#include <capsa/capsa.hpp>
#include <string>

namespace capsa::test {

/// The prepared guest. A program that finds none ends as skipped, with the reason, at the first use.
const GuestAssets& guest();

/// Boot configuration of the prepared guest for a plain VM.
LinuxDirectBootConfig boot();
/// Adds what the prepared guest's kernel needs to a builder.
VmBuilder guest_vm(Runtime& runtime);

/// A runtime whose log goes to the test's output.
Runtime& runtime();

}  // namespace capsa::test
