#pragma once

#include <agent/guest/later.hpp>
#include <agent/guest/server_session.hpp>
#include <agent/tree/tree_sink.hpp>
#include <agent/tree/tree_source.hpp>
#include <memory>
#include <string>

/// Trees of files, in and out.
namespace capsa::agent::guest {

/// Sends a file or a directory with all below it, against credit.
class ReadTreeTask final : public Task {
 public:
  static std::unique_ptr<Task> begin(Reply reply, const wire::ReadTree& request);
  bool on_credit(wire::Stream stream, std::uint64_t amount) override;
  void on_room() override;

 private:
  ReadTreeTask(Reply reply, const wire::ReadTree& request);
  void step();

  Reply reply_;
  TreeSource source_;
  std::string unsent_;
  std::size_t sent_ = 0;  // of unsent_
  std::uint64_t credit_;
  Later later_;
};

/// Receives one. What has come before a failure stays, but for a half-written file.
class WriteTreeTask final : public Task {
 public:
  static std::unique_ptr<Task> begin(Reply reply, const wire::WriteTree& request);
  bool on_data(wire::Stream stream, const std::string& bytes) override;
  bool on_eof(wire::Stream stream) override;

 private:
  WriteTreeTask(Reply reply, const wire::WriteTree& request)
      : reply_(reply), sink_(request.path()) {}
  void give_credit(std::uint64_t amount);

  Reply reply_;
  TreeSink sink_;
  std::uint64_t credit_ = 0;
  std::uint64_t taken_ = 0;
};

}  // namespace capsa::agent::guest
