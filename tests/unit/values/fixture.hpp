#pragma once

#include <stdlib.h>

#include <actors/values/validate.hpp>
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <string>

namespace capsa::test {

/// An empty directory that goes away with the test.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string name = (std::filesystem::temp_directory_path() / "capsa-test-XXXXXX").string();
    BOOST_REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path file(const std::string& name, const std::string& content = "x") const {
    std::ofstream(path_ / name) << content;
    return path_ / name;
  }
  std::filesystem::path directory(const std::string& name) const {
    std::filesystem::create_directories(path_ / name);
    return path_ / name;
  }

 private:
  std::filesystem::path path_;
};

inline ValidateContext big_host() {
  ValidateContext context;
  context.host_memory_mb = 8192;
  context.root = true;
  return context;
}

inline ValidateContext sandbox_on_big_host() {
  auto context = big_host();
  context.sandbox = true;
  return context;
}

/// Refused as InvalidConfig, with all of `parts` in the message and with a hint.
inline void check_refused(const result<void>& outcome, std::initializer_list<std::string> parts) {
  BOOST_REQUIRE(!outcome);
  BOOST_TEST((outcome.error().code() == ErrorCode::InvalidConfig));
  for (const auto& part : parts) {
    BOOST_TEST(outcome.error().message().find(part) != std::string::npos,
               "\"" << part << "\" in: " << outcome.error().message());
  }
  BOOST_TEST(!outcome.error().hint().empty(), outcome.error().message());
}

inline void check_accepted(const result<void>& outcome) {
  BOOST_TEST(outcome.ok(), (outcome.ok() ? "" : outcome.error().what()));
}

}  // namespace capsa::test
