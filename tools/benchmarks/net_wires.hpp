#pragma once

namespace capsa::bench {

/// Prints how long a frame is under way from one actor to another and back by a switch's actor, and
/// how many of them that takes per second of CPU time.
void measure_wires(unsigned rounds);

}  // namespace capsa::bench
