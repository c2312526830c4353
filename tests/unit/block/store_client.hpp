#pragma once

#include <sys/mman.h>

#include <backends/block/store.hpp>
#include <boost/test/unit_test.hpp>
#include <cstring>
#include <deque>
#include <map>
#include <random>
#include <tests/support/test_loop.hpp>
#include <vector>

namespace capsa::block::test {

using Bytes = std::vector<std::byte>;

inline Bytes pattern(std::size_t length, unsigned salt) {
  Bytes bytes(length);
  for (std::size_t i = 0; i < length; ++i)
    bytes[i] = static_cast<std::byte>(i / 512 * 31 + i * 7 + salt);
  return bytes;
}

/// A client that keeps what it is told, and can wait for it.
class WaitingClient final : public StoreClient {
 public:
  WaitingClient(tests::TestLoop& loop, BlockStore& store) : loop_(loop), store_(store) {
    store.attach(this);
  }

  void completed(Request& request, int error) override {
    errors[&request] = error;
    order.push_back(&request);
  }
  void completions_end() override { ++batches; }

  bool wait(std::size_t count) {
    return loop_.run_until([&] { return order.size() >= count; });
  }
  /// Carries out one request alone; its errno.
  int run(Request& request) {
    errors.erase(&request);
    const std::size_t before = order.size();
    store_.start(request);
    BOOST_TEST(order.size() == before);  // never from within start()
    store_.submit();
    BOOST_REQUIRE(wait(before + 1));
    return errors.at(&request);
  }
  int run(Operation operation, std::uint64_t offset = 0, std::uint64_t length = 0) {
    Request request;
    request.operation = operation;
    request.offset = offset;
    request.length = length;
    return run(request);
  }
  int write(std::uint64_t offset, Bytes data, std::size_t pieces = 1, bool durable = false) {
    Request request = transfer(Operation::Write, offset, data, pieces);
    request.durable = durable;
    return run(request);
  }
  int read(std::uint64_t offset, Bytes& data, std::size_t pieces = 1) {
    Request request = transfer(Operation::Read, offset, data, pieces);
    return run(request);
  }

  /// In `pieces` buffers of odd lengths.
  static Request transfer(Operation operation, std::uint64_t offset, Bytes& data,
                          std::size_t pieces) {
    Request request;
    request.operation = operation;
    request.offset = offset;
    request.length = data.size();
    std::size_t at = 0;
    for (std::size_t i = 0; i < pieces && at < data.size(); ++i) {
      const std::size_t rest = data.size() - at;
      const std::size_t length = i + 1 == pieces ? rest : std::min(rest, data.size() / pieces + i);
      if (length == 0) continue;
      request.buffers.push_back({data.data() + at, length});
      at += length;
    }
    return request;
  }

  std::map<const Request*, int> errors;
  std::vector<const Request*> order;
  std::size_t batches = 0;

 private:
  tests::TestLoop& loop_;
  BlockStore& store_;
};

/// Random requests, several at once, against a copy in memory. Ranges in flight never overlap.
inline void compare_with_oracle(tests::TestLoop& loop, BlockStore& store, unsigned seed,
                                int rounds) {
  BOOST_TEST_CONTEXT("seed " << seed) {
    std::mt19937 random(seed);
    WaitingClient client(loop, store);
    const auto pick = [&random](std::uint64_t below) { return random() % below; };
    const std::size_t size = store.info().size;
    constexpr std::size_t kLanes = 4;
    const std::size_t lane_sectors = size / kSectorSize / kLanes;
    Bytes oracle(size);
    {
      Bytes all(size);
      BOOST_REQUIRE(client.read(0, all) == 0);
      oracle = all;
    }
    struct Job {
      Request request;
      Bytes data;
      bool unmapped = false;
    };
    for (int round = 0; round < rounds; ++round) {
      std::deque<Job> jobs;
      const std::size_t before = client.order.size();
      for (std::size_t lane = 0; lane < kLanes; ++lane) {
        const std::size_t sector = pick(lane_sectors);
        const std::size_t sectors =
            1 + pick(std::min<std::uint64_t>(lane_sectors - sector, pick(4) == 0 ? 300 : 16));
        const std::uint64_t offset = (lane * lane_sectors + sector) * kSectorSize;
        Job& job = jobs.emplace_back();
        job.data = pattern(sectors * kSectorSize, static_cast<unsigned>(random()));
        const std::uint64_t kind = pick(8);
        auto& request = job.request;
        if (kind < 3) {
          request = WaitingClient::transfer(Operation::Write, offset, job.data, 1 + pick(9));
          request.durable = pick(8) == 0;
        } else if (kind < 6) {
          request = WaitingClient::transfer(Operation::Read, offset, job.data, 1 + pick(9));
        } else {
          request.operation = kind == 6 ? Operation::WriteZeroes : Operation::Discard;
          if (request.operation == Operation::Discard && !store.info().discard)
            request.operation = Operation::Flush;
          request.may_unmap = pick(2) == 0;
          request.durable = request.operation == Operation::WriteZeroes && pick(4) == 0;
          request.offset = offset;
          request.length = job.data.size();
        }
        store.start(request);
      }
      store.submit();
      BOOST_REQUIRE(client.wait(before + kLanes));
      for (auto& job : jobs) {
        auto& request = job.request;
        BOOST_REQUIRE(client.errors.at(&request) == 0);
        const auto at = oracle.begin() + static_cast<std::ptrdiff_t>(request.offset);
        const auto end = at + static_cast<std::ptrdiff_t>(request.length);
        if (request.operation == Operation::Read) {
          BOOST_REQUIRE(std::equal(at, end, job.data.begin()));
        } else if (request.operation == Operation::Write) {
          std::copy(job.data.begin(), job.data.end(), at);
        } else if (request.operation == Operation::WriteZeroes) {
          std::fill(at, end, std::byte{0});
        } else if (request.operation == Operation::Discard) {
          // Each sector reads as it was or as zero, and stays so.
          Bytes now(request.length);
          BOOST_REQUIRE(client.read(request.offset, now) == 0);
          for (std::size_t i = 0; i < now.size(); ++i)
            BOOST_REQUIRE((now[i] == std::byte{0} || now[i] == at[static_cast<std::ptrdiff_t>(i)]));
          std::copy(now.begin(), now.end(), at);
        }
      }
    }
    Bytes all(size);
    BOOST_REQUIRE(client.read(0, all, 5) == 0);
    BOOST_TEST((all == oracle));
    store.attach(nullptr);
  }
}

}  // namespace capsa::block::test
