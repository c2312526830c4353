#pragma once

#include <agent/agent.pb.h>
#include <agent/tree/tree_failure.hpp>
#include <capsa/agent_types.hpp>
#include <capsa/result.hpp>
#include <string>

/// Public values to and from the wire. Guest text is cut to sane lengths on the way in.
namespace capsa::agent {

/// Fails with invalid_config where the values can mean nothing: no program or two, a NUL in a
/// string that becomes a C string, a variable name with '='.
result<void> to_wire(const ExecSpec& spec, wire::Exec& out);
result<void> to_wire(const SetupSpec& spec, wire::Setup& out);
/// An empty path, or one with a NUL, is invalid_config.
result<void> check_path(const std::string& path);

GuestInfo from_wire(const wire::Info& info);
FileStat from_wire(const wire::FileStat& stat);
ExitStatus from_wire(const wire::ExitStatus& status);
error from_wire(const wire::Error& guest_error);
/// A failure of this side's half of a copy.
error to_error(const TreeFailure& failure);

/// Guest text for a message to people: cut, and without control characters.
std::string printable(const std::string& guest_text);

}  // namespace capsa::agent
