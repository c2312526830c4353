#include "scripted_guest.hpp"
#include "served_agent.hpp"
#include "tree_kit.hpp"

using namespace capsa;
using namespace capsa::agent;
using namespace capsa::agent::test;

namespace {

result<void> read_tree(ServedAgent& agent, const std::string& path, std::string& out,
                       std::uint64_t window = kFileWindow, bool skip_special = false) {
  RequestId id = 0;
  return ask<void>(agent, [&](auto done) {
    ReadEvents events;
    events.data = [&](std::span<const std::byte> bytes) {
      out += as_text(bytes);
      agent.session().grant(id, Stream::Output, bytes.size());
    };
    events.done = std::move(done);
    id = agent.session().read_tree(path, skip_special, std::move(events), window);
  });
}

result<void> write_tree(ServedAgent& agent, const std::string& path, std::string_view bytes) {
  RequestId id = 0;
  return ask<void>(agent, [&](auto done) {
    WriteEvents events;
    events.room = [&](std::size_t) {
      bytes.remove_prefix(agent.session().write_data(id, as_bytes(bytes)));
      if (bytes.empty()) agent.session().write_finish(id);
    };
    events.done = std::move(done);
    id = agent.session().write_tree(path, std::move(events));
  });
}

}  // namespace

BOOST_AUTO_TEST_SUITE(agent_trees)

BOOST_AUTO_TEST_CASE(a_tree_comes_from_the_agent_and_goes_back_unchanged) {
  ServedAgent agent;
  ScratchDir dir;
  make_sample(dir / "from");
  put(dir / "from/big", std::string(3U << 20, 'b'));
  set_time(dir / "from", 1'400'000'000);
  std::string bytes;
  BOOST_REQUIRE(read_tree(agent, dir / "from", bytes, 10'000).ok());
  BOOST_REQUIRE(write_tree(agent, dir / "to", bytes).ok());
  BOOST_TEST((all_below(dir / "to") == all_below(dir / "from")));
}

BOOST_AUTO_TEST_CASE(a_tree_of_many_entries_leaves_turns_to_others) {
  ServedAgent agent;
  ScratchDir dir;
  std::filesystem::create_directories(dir / "from");
  for (int i = 0; i < 2000; ++i)
    put(dir / ("from/" + std::to_string(i)), "");
  std::string bytes;
  std::optional<result<void>> tree;
  std::size_t pings = 0;
  RequestId id = 0;
  ReadEvents events;
  events.data = [&](std::span<const std::byte> piece) {
    bytes += as_text(piece);
    if (pings == 0) agent.session().ping([&](const result<void>&) { pings += tree ? 0 : 1; });
    agent.session().grant(id, Stream::Output, piece.size());
  };
  events.done = [&](result<void> done) { tree = std::move(done); };
  id = agent.session().read_tree(dir / "from", false, std::move(events), 100);
  agent.run_until([&] { return tree.has_value(); });
  BOOST_TEST(tree->ok());
  BOOST_TEST(pings > 0U);
  TreeSink sink(dir / "to");
  BOOST_REQUIRE(!write_all(sink, bytes));
  BOOST_TEST(sink.stats().files == 2000U);
}

BOOST_AUTO_TEST_CASE(what_the_guest_cannot_read_or_write_is_named_with_its_errno) {
  ServedAgent agent;
  ScratchDir dir;
  std::string bytes;
  const auto missing = read_tree(agent, dir / "no", bytes);
  BOOST_REQUIRE(!missing.ok());
  BOOST_TEST((missing.error().code() == ErrorCode::GuestError));
  BOOST_TEST(missing.error().guest_errno() == ENOENT);
  BOOST_TEST(missing.error().message().find(dir / "no") != std::string::npos);

  std::filesystem::create_directories(dir / "special");
  BOOST_REQUIRE(::mkfifo((dir / "special/pipe").c_str(), 0600) == 0);
  const auto special = read_tree(agent, dir / "special", bytes);
  BOOST_REQUIRE(!special.ok());
  BOOST_TEST((special.error().code() == ErrorCode::UnsupportedFeature));
  BOOST_TEST(special.error().message().find(dir / "special/pipe") != std::string::npos);
  bytes.clear();
  BOOST_TEST(read_tree(agent, dir / "special", bytes, kFileWindow, true).ok());

  put(dir / "file", "");
  const auto below = write_tree(agent, dir / "file/below", Records().directory("").end().bytes);
  BOOST_REQUIRE(!below.ok());
  BOOST_TEST(below.error().guest_errno() == EEXIST);
  const auto nonsense = write_tree(agent, dir / "to", Records().directory("").file("..").bytes);
  BOOST_REQUIRE(!nonsense.ok());
  BOOST_TEST((nonsense.error().code() == ErrorCode::InvalidConfig));
}

BOOST_AUTO_TEST_CASE(a_canceled_tree_leaves_no_half_written_file) {
  ServedAgent agent;
  ScratchDir dir;
  const auto bytes = Records().directory("").file("f").content("half").bytes;
  bool sent = false;
  WriteEvents events;
  RequestId id = 0;
  events.room = [&](std::size_t) {
    if (!std::exchange(sent, true)) agent.session().write_data(id, as_bytes(bytes));
  };
  id = agent.session().write_tree(dir / "to", std::move(events));
  agent.run_until([&] { return sent; });
  agent.settle();
  BOOST_TEST(all_below(dir / "to").size() == 2U);  // it is being written
  agent.session().cancel(id);
  agent.settle();
  agent.settle();
  BOOST_TEST(all_below(dir / "to").size() == 1U);
}

BOOST_AUTO_TEST_CASE(an_agent_that_does_not_know_trees_says_so) {
  ScriptedGuest guest;
  guest.hello();
  std::optional<result<void>> read;
  ReadEvents events;
  events.done = keep(read);
  const auto id = guest.session.read_tree("/a", false, std::move(events));
  BOOST_TEST(guest.sent.back().read_tree().window() == kFileWindow);
  BOOST_TEST(guest.fail(id, wire::Error::KIND_UNSUPPORTED).ok());
  BOOST_REQUIRE((read && !read->ok()));
  BOOST_TEST((read->error().code() == ErrorCode::UnsupportedFeature));
}

BOOST_AUTO_TEST_CASE(a_guest_that_sends_more_of_a_tree_than_it_may_is_cut_off) {
  ScriptedGuest guest;
  guest.hello();
  std::optional<result<void>> read;
  ReadEvents events;
  events.done = keep(read);
  const auto id = guest.session.read_tree("/a", false, std::move(events), 10);
  BOOST_TEST(guest.data(id, wire::STREAM_OUTPUT, "1234567890").ok());
  BOOST_TEST(!guest.data(id, wire::STREAM_OUTPUT, "1").ok());
  BOOST_REQUIRE((read && !read->ok()));
  BOOST_TEST((read->error().code() == ErrorCode::AgentProtocol));
}

BOOST_AUTO_TEST_SUITE_END()
