#pragma once

#include <actors/guest/cache.hpp>
#include <boost/test/unit_test.hpp>
#include <string>
#include <tests/unit/guest/samples.hpp>

namespace capsa::guest::samples {

/// Fake programs, first in PATH for as long as this lives: sh scripts by name.
class FakePrograms {
 public:
  /// `alone`: nothing but these is found.
  explicit FakePrograms(bool alone = false)
      : path_("PATH", alone ? directory_.path().string()
                            : directory_.path().string() + ":" + ::getenv("PATH")) {}

  void add(const std::string& name, const std::string& script) {
    const auto file = directory_.path() / name;
    std::filesystem::remove(file);
    BOOST_REQUIRE(write_file(file, "#!/bin/sh\n" + script + "\n").ok());
    std::filesystem::permissions(file, std::filesystem::perms(0755));
  }
  const std::filesystem::path& directory() const { return directory_.path(); }

 private:
  Scratch directory_;
  Variable path_;
};

}  // namespace capsa::guest::samples
