#pragma once

#include <backends/virtio/fs/device.hpp>
#include <boost/test/unit_test.hpp>
#include <memory>
#include <tests/support/executors.hpp>
#include <tests/support/fake_driver.hpp>
#include <tests/unit/fs/fuse_client.hpp>

namespace capsa::virtio::fs::test {

/// A device on a share of its own, driven through its queues.
template <class Executor>
struct DeviceBench : Bench {
  explicit DeviceBench(capsa::test::FakeDriverOptions options = {},
                       std::vector<std::uint16_t> sizes = {64, 64})
      : executor(std::make_shared<Executor>()), driver(std::move(sizes), options) {
    ShareConfig config = writable();
    config.host_path = share();
    device = FsDevice::create(config, executor).value();
    driver.activate(*device);
  }

  /// Sends on the request queue, in the given pieces.
  std::uint16_t send(const std::vector<Bytes>& readable, const std::vector<std::size_t>& room) {
    return driver.send_to(*device, FsDevice::kRequestQueue, readable, room);
  }
  void send_init() {
    fuse_init_in in{};
    in.major = 7;
    in.minor = 38;
    send({make_request(FUSE_INIT, 0, Args().put(in))}, {sizeof(fuse_out_header), 64});
  }
  /// The next answer on the request queue. Not given where nothing was written.
  std::optional<Answer> next() {
    const auto used = driver.pop_used(FsDevice::kRequestQueue);
    if (!used) return std::nullopt;
    Answer answer;
    if (used->written == 0) return answer;
    fuse_out_header header{};
    std::memcpy(&header, used->data.data(), sizeof(header));
    answer.given = true;
    answer.error = -header.error;
    answer.body.assign(used->data.begin() + sizeof(header), used->data.end());
    BOOST_TEST(header.len == used->written);
    return answer;
  }

  std::shared_ptr<Executor> executor;
  capsa::test::FakeDriver driver;
  std::unique_ptr<FsDevice> device;
};

using InlineBench = DeviceBench<capsa::test::InlineExecutor>;
using ManualBench = DeviceBench<capsa::test::ManualExecutor>;

}  // namespace capsa::virtio::fs::test
