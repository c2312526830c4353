#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace capsa::tests {

/// Makes tar archives, bad ones too: what is said here goes into the header as it is.
class TarBuilder {
 public:
  struct Header {
    std::string name;
    char type = '0';
    std::string link = {};
    unsigned mode = 0644;
    unsigned uid = 0;
    unsigned gid = 0;
    unsigned long long size = 0;
    unsigned long long mtime = 1700000000;
    std::string prefix = {};
  };

  TarBuilder& add(const Header& h, std::string_view content = {}) {
    char block[512] = {};
    const auto text = [&](std::size_t at, std::size_t room, const std::string& value) {
      value.copy(block + at, room);
    };
    text(0, 100, h.name);
    std::snprintf(block + 100, 8, "%07o", h.mode);
    std::snprintf(block + 108, 8, "%07o", h.uid);
    std::snprintf(block + 116, 8, "%07o", h.gid);
    std::snprintf(block + 124, 12, "%011llo", h.size != 0 ? h.size : content.size());
    std::snprintf(block + 136, 12, "%011llo", h.mtime);
    block[156] = h.type;
    text(157, 100, h.link);
    text(257, 8, std::string("ustar\00000", 8));
    text(345, 155, h.prefix);
    seal(block);
    bytes_.append(block, sizeof block);
    return raw(content);
  }
  TarBuilder& file(const std::string& name, std::string_view content, unsigned mode = 0644) {
    return add({.name = name, .mode = mode}, content);
  }
  TarBuilder& directory(const std::string& name, unsigned mode = 0755) {
    return add({.name = name, .type = '5', .mode = mode});
  }
  TarBuilder& symlink(const std::string& name, const std::string& target) {
    return add({.name = name, .type = '2', .link = target, .mode = 0777});
  }
  TarBuilder& hard_link(const std::string& name, const std::string& target) {
    return add({.name = name, .type = '1', .link = target});
  }
  /// An extended header for what follows.
  TarBuilder& pax(const std::string& key, const std::string& value, char type = 'x') {
    const std::string rest = " " + key + "=" + value + "\n";
    std::size_t length = rest.size();
    while (std::to_string(length).size() + rest.size() != length)
      length = std::to_string(length).size() + rest.size();
    return add({.name = "PaxHeaders/x", .type = type}, std::to_string(length) + rest);
  }
  /// GNU's long name ('L') or link ('K').
  TarBuilder& gnu_long(char type, const std::string& value) {
    return add({.name = "././@LongLink", .type = type}, value + '\0');
  }
  /// Content as it is, padded.
  TarBuilder& raw(std::string_view content) {
    bytes_ += content;
    bytes_.append((512 - content.size() % 512) % 512, '\0');
    return *this;
  }

  /// With the two empty blocks at the end.
  std::string finish() const { return bytes_ + std::string(1024, '\0'); }
  const std::string& bytes() const { return bytes_; }

  static void seal(char* block) {
    for (int i = 0; i < 8; ++i)
      block[148 + i] = ' ';
    unsigned sum = 0;
    for (int i = 0; i < 512; ++i)
      sum += static_cast<unsigned char>(block[i]);
    std::snprintf(block + 148, 8, "%06o", sum);
  }

 private:
  std::string bytes_;
};

}  // namespace capsa::tests
