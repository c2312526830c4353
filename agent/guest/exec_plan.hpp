#pragma once

#include <agent/agent.pb.h>
#include <agent/guest/child.hpp>

namespace capsa::agent::guest {

/// Who runs what, where, in which environment. False if the user cannot be found.
bool plan_program(const wire::Exec& request, ChildPlan& plan);

}  // namespace capsa::agent::guest
