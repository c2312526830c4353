#pragma once

namespace capsa::bench {

/// Prints how many frames a switch forwards per second of CPU time, and what it allocates for them.
void measure_switch(unsigned rounds);

}  // namespace capsa::bench
