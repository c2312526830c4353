#pragma once

#include <sys/stat.h>
#include <sys/types.h>

#include <agent/guest/later.hpp>
#include <agent/guest/server_session.hpp>
#include <agent/tree/unique_dir.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <memory>
#include <string>
#include <vector>

/// File operations that take many turns.
namespace capsa::agent::guest {

/// Sends a file's bytes, against credit.
class ReadTask final : public Task {
 public:
  static std::unique_ptr<Task> begin(Reply reply, const wire::ReadFile& request);
  bool on_credit(wire::Stream stream, std::uint64_t amount) override;
  void on_room() override;

 private:
  ReadTask(Reply reply, const wire::ReadFile& request);
  void step();

  Reply reply_;
  std::string path_;
  UniqueFd fd_;
  std::uint64_t left_;
  std::uint64_t credit_;
  Later later_;
};

/// Receives a file's bytes. A regular file is replaced in one step at the end; a half-written one
/// is removed if the host cancels, breaks off or the disk is full.
class WriteTask final : public Task {
 public:
  static std::unique_ptr<Task> begin(Reply reply, const wire::WriteFile& request);
  ~WriteTask() override;
  bool on_data(wire::Stream stream, const std::string& bytes) override;
  bool on_eof(wire::Stream stream) override;

 private:
  WriteTask(Reply reply, const wire::WriteFile& request)
      : reply_(reply), path_(request.path()), sync_(request.sync()) {}
  int open_target(const wire::WriteFile& request);
  int open_in_place(int flags);
  int open_temporary();
  int complete();
  void give_credit(std::uint64_t amount);

  Reply reply_;
  std::string path_;
  std::string temporary_;  ///< empty: written in place, or renamed already
  UniqueFd fd_;
  bool sync_;
  std::uint64_t credit_ = 0;
  std::uint64_t taken_ = 0;
};

/// Sends a directory's entries in batches, against credit.
class ListTask final : public Task {
 public:
  static std::unique_ptr<Task> begin(Reply reply, const wire::ListDir& request);
  bool on_credit(wire::Stream stream, std::uint64_t amount) override;
  void on_room() override;

 private:
  ListTask(Reply reply, UniqueDir dir, const wire::ListDir& request);
  void step();

  Reply reply_;
  std::string path_;
  UniqueDir dir_;
  std::uint64_t credit_;
  Later later_;
};

/// Removes a tree. Symlinks are removed, never followed; a mount point below ends it with EBUSY
/// before anything inside that is touched, since a share of the host may lie there.
class RemoveTask final : public Task {
 public:
  static std::unique_ptr<Task> begin(Reply reply, const wire::Remove& request);

 private:
  struct Level {
    UniqueDir dir;
    std::string name;  ///< in the level above; the path itself for the first
    unsigned retries = 0;
  };
  RemoveTask(Reply reply, std::string path);
  void step();
  int step_once();
  int remove_entry(int dir, const char* name);
  int leave();

  Reply reply_;
  std::string path_;
  std::vector<Level> levels_;
  dev_t device_ = 0;
  Later later_;
};

}  // namespace capsa::agent::guest
