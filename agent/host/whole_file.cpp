#include <agent/host/whole_file.hpp>
#include <memory>

namespace capsa::agent {

namespace {

struct Reading {
  RequestId id = 0;
  std::vector<std::byte> content;
  bool too_large = false;
};

struct Writing {
  RequestId id = 0;
  std::vector<std::byte> content;
  std::size_t sent = 0;
};

}  // namespace

RequestId read_whole_file(Session& session, const std::string& path, std::size_t max_bytes,
                          Callback<std::vector<std::byte>> done) {
  auto reading = std::make_shared<Reading>();
  ReadEvents events;
  events.data = [&session, reading, max_bytes](std::span<const std::byte> bytes) {
    if (bytes.size() > max_bytes - reading->content.size()) {
      reading->too_large = true;
      session.cancel(reading->id);
      return;
    }
    reading->content.insert(reading->content.end(), bytes.begin(), bytes.end());
    session.grant(reading->id, Stream::Output, bytes.size());
  };
  events.done = [reading, max_bytes, path, done = std::move(done)](result<void> outcome) {
    if (!done) return;
    if (reading->too_large)
      return done(
          error(ErrorCode::ResourceExhausted,
                path + " is larger than the limit of " + std::to_string(max_bytes) + " bytes",
                "read it in parts, or raise the limit"));
    if (!outcome) return done(outcome.error());
    done(std::move(reading->content));
  };
  reading->id = session.read_file(path, {}, std::move(events));
  return reading->id;
}

RequestId write_whole_file(Session& session, const std::string& path,
                           const WriteFileOptions& options, std::vector<std::byte> content,
                           Callback<void> done) {
  auto writing = std::make_shared<Writing>();
  writing->content = std::move(content);
  WriteEvents events;
  events.room = [&session, writing](std::size_t) {
    const auto left = std::span(writing->content).subspan(writing->sent);
    writing->sent += session.write_data(writing->id, left);
    if (writing->sent == writing->content.size()) session.write_finish(writing->id);
  };
  events.done = std::move(done);
  writing->id = session.write_file(path, options, std::move(events));
  return writing->id;
}

}  // namespace capsa::agent
