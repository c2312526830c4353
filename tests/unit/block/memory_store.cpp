#include <backends/block/memory_store.hpp>
#include <tests/unit/block/store_client.hpp>

namespace capsa::block::test {
namespace {

class Recorder final : public StoreClient {
 public:
  void completed(Request& request, int error) override { seen.emplace_back(&request, error); }
  void completions_end() override { ++batches; }
  std::vector<std::pair<Request*, int>> seen;
  int batches = 0;
};

struct MemoryBench {
  MemoryBench() { store.attach(&client); }
  MemoryStore store{{.size = 8192}};
  Recorder client;
};

}  // namespace

BOOST_AUTO_TEST_SUITE(block_memory_store)

BOOST_AUTO_TEST_CASE(its_owner_says_when_and_in_which_order) {
  MemoryBench bench;
  Bytes data = pattern(1024, 3);
  Request write = WaitingClient::transfer(Operation::Write, 512, data, 2);
  Bytes back(1024);
  Request read = WaitingClient::transfer(Operation::Read, 512, back, 3);
  bench.store.start(write);
  bench.store.start(read);
  bench.store.submit();
  BOOST_TEST(bench.client.seen.empty());
  bench.store.finish(1);
  BOOST_TEST((back == Bytes(1024)));
  bench.store.finish(0);
  BOOST_TEST(!bench.store.finish());
  bench.store.end_batch();
  BOOST_TEST(bench.client.seen.size() == 2U);
  BOOST_TEST(bench.client.seen[0].first == &read);
  BOOST_TEST(bench.client.batches == 1);
  BOOST_TEST(std::equal(data.begin(), data.end(), bench.store.bytes().begin() + 512));
}

BOOST_AUTO_TEST_CASE(a_failure_does_nothing) {
  MemoryBench bench;
  Bytes data = pattern(512, 3);
  Request write = WaitingClient::transfer(Operation::Write, 0, data, 1);
  bench.store.start(write);
  bench.store.finish(0, ENOSPC);
  BOOST_TEST(bench.client.seen.at(0).second == ENOSPC);
  BOOST_TEST((bench.store.bytes() == Bytes(8192)));
}

BOOST_AUTO_TEST_CASE(closing_waits_and_then_nothing_starts) {
  MemoryBench bench;
  Request flush;
  flush.operation = Operation::Flush;
  bench.store.start(flush);
  bool closed = false;
  bench.store.close([&] { closed = true; });
  BOOST_TEST(!closed);
  bench.store.finish_all();
  BOOST_TEST(closed);
  bench.store.start(flush);
  bench.store.finish_all();
  BOOST_TEST(bench.client.seen.at(0).second == 0);
  BOOST_TEST(bench.client.seen.at(1).second == ESHUTDOWN);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace capsa::block::test
