#pragma once

namespace capsa::lab {

/// Leaves processes behind that end this guest where one of its CPUs runs nothing any more, which
/// emulated ones have been seen to do for minutes while the others went on. The host is told what
/// the CPUs were doing by the kernel's last lines.
void watch_for_standstill();

}  // namespace capsa::lab
