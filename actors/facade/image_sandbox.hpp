#pragma once

#include <actors/vm/vm_plan.hpp>
#include <capsa/image.hpp>
#include <capsa/sandbox.hpp>

namespace capsa::facade {

/// The root of a sandbox that runs an image: has it pulled where it must be, which blocks, and
/// completes the command by what the image says where the user said nothing. Errors are those of
/// ImageCache::pull(); InvalidConfig for a stop signal that is none.
result<vm::ImageRoot> use_image(const OciImage& wanted, ExecSpec& command);

/// The rules of that, for an image that is there.
result<vm::ImageRoot> apply_image(const Image& image, ExecSpec& command);

}  // namespace capsa::facade
