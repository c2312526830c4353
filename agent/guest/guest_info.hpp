#pragma once

#include <agent/agent.pb.h>

namespace capsa::agent::guest {

/// What the machine says about itself: uname(2), sysinfo(2), /proc, /sys and its interfaces. What
/// cannot be read stays empty.
void fill_info(wire::Info& info);

}  // namespace capsa::agent::guest
