#include <actors/network/port_capture.hpp>

namespace capsa::network {

Capture::Capture(Loop& loop, UniqueFd file, const std::string& port)
    : loop_(loop),
      out_(loop, std::move(file)),
      writer_(out_.sink(), {}, loop.now(), std::chrono::system_clock::now()),
      port_(writer_, port) {}

Capture::~Capture() {
  writer_.close(loop_.now());
}

}  // namespace capsa::network
