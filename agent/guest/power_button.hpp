#pragma once

#include <capsa/detail/unique_fd.hpp>
#include <capsa/loop.hpp>
#include <functional>
#include <vector>

namespace capsa::agent::guest {

/// Power buttons among /dev/input/event*, as ACPI brings them.
class PowerButton {
 public:
  PowerButton(Loop& loop, std::function<void()> on_pressed);
  ~PowerButton();
  PowerButton(const PowerButton&) = delete;
  PowerButton& operator=(const PowerButton&) = delete;

 private:
  void on_ready(int fd);

  Loop& loop_;
  std::function<void()> on_pressed_;
  std::vector<UniqueFd> buttons_;
};

}  // namespace capsa::agent::guest
