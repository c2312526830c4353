#pragma once

namespace capsa::lab {

/// Leaves processes behind, one on each CPU. Emulated CPUs have been seen to miss an interrupt and
/// to wait for it for minutes: each watcher interrupts the next CPU ten times a second, which then
/// sees what it missed. Where one runs nothing for a minute all the same they end this guest; the
/// host is told what the CPUs were doing by the kernel's last lines.
void watch_for_standstill();

}  // namespace capsa::lab
