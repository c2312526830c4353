#pragma once

namespace capsa::agent::guest {

/// Everything as process 1 of a machine. Does not return.
int run_as_init();

}  // namespace capsa::agent::guest
