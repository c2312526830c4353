#include <agent/agent.pb.h>
#include <agent/codec.hpp>
#include <boost/test/unit_test.hpp>
#include <string>
#include <vector>

using namespace capsa::agent;

namespace {

std::string three_frames() {
  std::string stream;
  wire::HostFrame frame;
  frame.set_id(7);
  frame.mutable_ping();
  BOOST_REQUIRE(append_frame(frame, stream));
  frame.mutable_data()->set_bytes(std::string(300, 'x'));  // a length of two bytes
  BOOST_REQUIRE(append_frame(frame, stream));
  frame.mutable_cancel();
  BOOST_REQUIRE(append_frame(frame, stream));
  return stream;
}

// Feeds `pieces` and gives the frames that came out.
std::vector<std::string> cut(FrameSplitter& splitter, const std::vector<std::string>& pieces) {
  std::vector<std::string> frames;
  for (const auto& piece : pieces) {
    auto in = as_bytes(piece);
    std::span<const std::byte> frame;
    while (splitter.take(in, frame) == FrameSplitter::Step::Frame)
      frames.emplace_back(as_text(frame));
  }
  return frames;
}

FrameSplitter::Step step(std::string_view bytes) {
  FrameSplitter splitter;
  auto in = as_bytes(bytes);
  std::span<const std::byte> frame;
  return splitter.take(in, frame);
}

}  // namespace

BOOST_AUTO_TEST_SUITE(codec)

BOOST_AUTO_TEST_CASE(frames_come_out_the_same_wherever_the_stream_is_split) {
  const std::string stream = three_frames();
  FrameSplitter whole;
  const auto expected = cut(whole, {stream});
  BOOST_REQUIRE_EQUAL(expected.size(), 3u);
  for (std::size_t at = 0; at <= stream.size(); ++at) {
    FrameSplitter splitter;
    BOOST_TEST(cut(splitter, {stream.substr(0, at), stream.substr(at)}) == expected);
  }
}

BOOST_AUTO_TEST_CASE(frames_come_out_byte_by_byte) {
  const std::string stream = three_frames();
  std::vector<std::string> bytes;
  for (const char c : stream)
    bytes.emplace_back(1, c);
  FrameSplitter whole;
  FrameSplitter splitter;
  BOOST_TEST(cut(splitter, bytes) == cut(whole, {stream}));
}

BOOST_AUTO_TEST_CASE(a_frame_survives_the_round_trip) {
  wire::HostFrame frame;
  frame.set_id(42);
  frame.mutable_exec()->add_argv("echo");
  frame.mutable_exec()->add_argv(std::string("\xff\x00\x01", 3));
  std::string stream;
  BOOST_REQUIRE(append_frame(frame, stream));
  FrameSplitter splitter;
  auto in = as_bytes(stream);
  std::span<const std::byte> bytes;
  BOOST_REQUIRE(splitter.take(in, bytes) == FrameSplitter::Step::Frame);
  wire::HostFrame parsed;
  BOOST_REQUIRE(parse_frame(bytes, parsed));
  BOOST_TEST(parsed.id() == 42u);
  BOOST_TEST(parsed.exec().argv(1) == frame.exec().argv(1));
}

BOOST_AUTO_TEST_CASE(an_empty_frame_is_a_frame) {
  BOOST_TEST((step(std::string_view("\0", 1)) == FrameSplitter::Step::Frame));
}

BOOST_AUTO_TEST_CASE(a_length_at_the_limit_is_taken_and_one_above_it_is_not) {
  BOOST_TEST((step("\x80\x80\x40") == FrameSplitter::Step::NeedMore));  // 1 MiB
  BOOST_TEST((step("\x81\x80\x40") == FrameSplitter::Step::Broken));
}

BOOST_AUTO_TEST_CASE(a_length_that_never_ends_breaks_the_stream) {
  BOOST_TEST((step("\x80\x80\x80") == FrameSplitter::Step::Broken));
}

BOOST_AUTO_TEST_CASE(a_broken_stream_stays_broken) {
  FrameSplitter splitter;
  std::span<const std::byte> frame;
  auto in = as_bytes("\xff\xff\xff\xff");
  BOOST_TEST((splitter.take(in, frame) == FrameSplitter::Step::Broken));
  auto more = as_bytes(std::string_view("\0\0\0", 3));
  BOOST_TEST((splitter.take(more, frame) == FrameSplitter::Step::Broken));
}

BOOST_AUTO_TEST_CASE(a_message_above_the_limit_is_not_encoded) {
  wire::HostFrame frame;
  frame.mutable_data()->set_bytes(std::string(kMaxFrame, 'x'));
  std::string stream = "before";
  BOOST_TEST(!append_frame(frame, stream));
  BOOST_TEST(stream == "before");
}

BOOST_AUTO_TEST_SUITE_END()
