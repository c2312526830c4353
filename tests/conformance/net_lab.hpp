#pragma once

#include <functional>
#include <memory>
#include <string>

namespace capsa::test {

/// A host and an Internet of the test's own, in two network namespaces, so that nothing that a test
/// does is seen by the real ones. The host has kHost4 and kHost6 on a link, and everything else is
/// behind it: the Internet answers for every address there is, private ones and those of metadata
/// services too, so that what slips past a policy is seen to arrive.
///
/// Made before there are other threads: they would stay in the host's real network.
class NetLab {
 public:
  static constexpr const char* kHost4 = "198.51.100.1";
  static constexpr const char* kHost6 = "2001:db8:ffff::1";

  /// The one of this program. It moves the calling thread.
  static NetLab& instance();

  /// Empty where there is one; else what was missing.
  const std::string& missing() const { return missing_; }
  explicit operator bool() const { return missing_.empty(); }

  /// Runs it on a thread of the Internet: sockets made and threads started there are there.
  void inside(const std::function<void()>& what);

  ~NetLab();
  NetLab(const NetLab&) = delete;
  NetLab& operator=(const NetLab&) = delete;

 private:
  NetLab();
  struct Internet;
  std::unique_ptr<Internet> internet_;
  std::string missing_;
};

}  // namespace capsa::test
