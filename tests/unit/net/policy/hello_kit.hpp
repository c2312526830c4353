#pragma once

#include <net/packet/wire.hpp>
#include <string>
#include <string_view>
#include <vector>

/// What clients say first.
namespace capsa::net::test {

inline std::string number(std::size_t value, int bytes) {
  std::string out;
  while (bytes-- > 0)
    out += static_cast<char>(value >> (8 * bytes));
  return out;
}
inline std::string sized(std::string_view content, int bytes) {
  return number(content.size(), bytes) + std::string(content);
}
inline std::string extension(std::size_t type, std::string_view content) {
  return number(type, 2) + sized(content, 2);
}
inline std::string sni(std::string_view name) {
  return extension(0, sized(std::string(1, '\0') + sized(name, 2), 2));
}
inline std::string hello_body(std::string_view extensions) {
  return std::string("\x03\x03", 2) + std::string(32, 'r') + sized(std::string(32, 's'), 1) +
         sized("\x13\x01\x13\x02", 2) + sized(std::string(1, '\0'), 1) + sized(extensions, 2);
}
inline std::string handshake(std::string_view body) {
  return "\x01" + sized(body, 3);
}
inline std::string record(std::string_view content) {
  return std::string("\x16\x03\x01", 3) + sized(content, 2);
}
/// With something before and behind the name, as clients have.
inline std::string client_hello(std::string_view name) {
  return record(handshake(
      hello_body(extension(10, "\x00\x02\x00\x1d") + sni(name) + extension(16, "\x00\x03\x02h2"))));
}

}  // namespace capsa::net::test
