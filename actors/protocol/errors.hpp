#pragma once

#include <caf/all.hpp>
#include <capsa/error.hpp>

namespace capsa::protocol {

/// The category of this library's errors inside CAF.
constexpr caf::atom_value kErrorCategory = caf::atom("capsa");

caf::error to_caf(const capsa::error& e);
/// The inverse; errors of CAF itself (an actor that ended, a request that timed out) become the
/// public error that says the same.
capsa::error from_caf(const caf::error& e);

std::string render(std::uint8_t code, caf::atom_value category, const caf::message& context);

}  // namespace capsa::protocol
