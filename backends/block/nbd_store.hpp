#pragma once

#include <backends/block/store.hpp>
#include <capsa/loop.hpp>
#include <capsa/result.hpp>
#include <chrono>
#include <cstddef>
#include <functional>
#include <memory>
#include <string>

namespace capsa::block {

/// Where an NBD server is. Exactly one of `socket` and `uri`.
struct NbdTarget {
  std::string socket;       ///< path of a unix socket
  std::string uri;          ///< nbd://HOST[:PORT]/EXPORT, nbd+unix:///EXPORT?socket=PATH, nbds://
  std::string export_name;  ///< with `socket` only; empty is the default export
  bool read_only = false;   ///< also where the server would let us write
  /// For connecting and negotiating.
  std::chrono::milliseconds timeout{10'000};
};

/// A disk at an NBD server: an image that QEMU's block layer keeps for us (see image_server.hpp),
/// or one on another machine. The server is not trusted beyond the bytes that it gives. A
/// connection that is lost is not made anew: all requests fail with EIO from then on.
class NbdStore : public BlockStore {
 public:
  /// Called once when the connection is lost, but not by close(); says why. The store may be ended
  /// from here.
  virtual void on_lost(std::function<void(error)> lost) = 0;
};

/// Connects on the loop. NBD asks the resolver in a blocking way: a URI names a host by its address
/// where that matters.
class NbdConnector {
 public:
  /// Once, from the loop, and it may destroy the connector. InvalidConfig for a target that is
  /// none, ConnectionClosed where the server refuses or is not there, Timeout.
  using Done = std::function<void(result<std::unique_ptr<NbdStore>>)>;

  NbdConnector(Loop& loop, NbdTarget target, Done done);
  NbdConnector(const NbdConnector&) = delete;
  NbdConnector& operator=(const NbdConnector&) = delete;
  /// Takes the attempt back; `done` is not called any more.
  ~NbdConnector();

 private:
  class Attempt;
  std::shared_ptr<Attempt> attempt_;
};

}  // namespace capsa::block
