#pragma once

namespace capsa::lab {

/// Leaves processes behind that end this guest where one of its CPUs runs nothing any
/// more: seen with emulated CPUs that run guests of their own, for minutes and maybe for ever,
/// while the others go on. The host is told what the CPUs were doing by the kernel's last lines.
void watch_for_standstill();

}  // namespace capsa::lab
