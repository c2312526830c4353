#include <agent/host/pending.hpp>
#include <agent/host/session.hpp>

/// The requests of a session: each fills one frame.
namespace capsa::agent {

RequestId Session::ping(Callback<void> done, std::chrono::nanoseconds wall_clock) {
  wire::HostFrame frame;
  frame.mutable_ping()->set_wall_clock_ns(wall_clock.count());
  return submit(std::make_shared<SimpleRequest<void>>(std::move(done)), frame);
}

RequestId Session::info(Callback<GuestInfo> done) {
  wire::HostFrame frame;
  frame.mutable_info();
  auto decode = [](const wire::GuestFrame& reply) -> std::optional<GuestInfo> {
    if (!reply.has_info_reply()) return std::nullopt;
    return from_wire(reply.info_reply());
  };
  return submit(std::make_shared<SimpleRequest<GuestInfo>>(std::move(done), decode), frame);
}

RequestId Session::setup(const SetupSpec& spec, Callback<void> done) {
  auto request = std::make_shared<SimpleRequest<void>>(std::move(done));
  wire::HostFrame frame;
  if (auto valid = to_wire(spec, *frame.mutable_setup()); !valid) {
    request->fail(valid.error());
    return 0;
  }
  return submit(std::move(request), frame);
}

RequestId Session::shutdown(ShutdownMode mode, std::chrono::milliseconds grace,
                            Callback<void> done) {
  wire::HostFrame frame;
  frame.mutable_shutdown()->set_reboot(mode == ShutdownMode::Reboot);
  frame.mutable_shutdown()->set_grace_ms(
      static_cast<std::uint64_t>(std::max<std::int64_t>(0, grace.count())));
  return submit(std::make_shared<SimpleRequest<void>>(std::move(done)), frame);
}

// -- programs

RequestId Session::exec(const ExecSpec& spec, ExecEvents events, ExecWindows windows) {
  auto request = std::make_shared<ExecRequest>(std::move(events), windows, spec.stdin_open);
  wire::HostFrame frame;
  auto& exec = *frame.mutable_exec();
  if (auto valid = to_wire(spec, exec); !valid) {
    request->fail(valid.error());
    return 0;
  }
  exec.set_stdout_window(std::min(windows.stdout_bytes, kMaxWindow));
  exec.set_stderr_window(std::min(windows.stderr_bytes, kMaxWindow));
  return submit(std::move(request), frame);
}

std::size_t Session::stdin_write(RequestId id, std::span<const std::byte> bytes) {
  return send_input(id, bytes);
}

void Session::stdin_close(RequestId id) {
  close_input(id);
}

void Session::signal(RequestId id, int signo) {
  const auto* request = find(id);
  if (request == nullptr || !request->is_program()) return;
  wire::HostFrame frame;
  frame.set_id(id);
  frame.mutable_signal()->set_number(signo);
  send_frame(frame);
}

void Session::resize(RequestId id, PtySize size) {
  const auto* request = find(id);
  if (request == nullptr || !request->is_program()) return;
  wire::HostFrame frame;
  frame.set_id(id);
  frame.mutable_resize()->set_rows(size.rows);
  frame.mutable_resize()->set_cols(size.cols);
  send_frame(frame);
}

// -- files

namespace {

/// Refuses a request whose path can mean nothing; true if the path is good.
bool path_is_good(PendingRequest& request, const std::string& path) {
  auto valid = check_path(path);
  if (!valid) request.fail(valid.error());
  return valid.ok();
}

}  // namespace

RequestId Session::read_file(const std::string& path, const ReadFileOptions& options,
                             ReadEvents events, std::uint64_t window) {
  auto request = std::make_shared<ReadRequest>(std::move(events), window);
  if (!path_is_good(*request, path)) return 0;
  wire::HostFrame frame;
  auto& read = *frame.mutable_read_file();
  read.set_path(path);
  read.set_offset(options.offset);
  if (options.length) read.set_length(*options.length);
  read.set_window(std::min(window, kMaxWindow));
  return submit(std::move(request), frame);
}

RequestId Session::write_file(const std::string& path, const WriteFileOptions& options,
                              WriteEvents events) {
  auto request = std::make_shared<WriteRequest>(std::move(events));
  if (!path_is_good(*request, path)) return 0;
  wire::HostFrame frame;
  auto& write = *frame.mutable_write_file();
  write.set_path(path);
  if (options.mode) write.set_mode(*options.mode);
  write.set_append(options.append);
  write.set_create_parents(options.create_parents);
  write.set_sync(options.sync);
  return submit(std::move(request), frame);
}

RequestId Session::read_tree(const std::string& path, bool skip_special, ReadEvents events,
                             std::uint64_t window) {
  auto request = std::make_shared<ReadRequest>(std::move(events), window);
  if (!path_is_good(*request, path)) return 0;
  wire::HostFrame frame;
  auto& read = *frame.mutable_read_tree();
  read.set_path(path);
  read.set_skip_special(skip_special);
  read.set_window(std::min(window, kMaxWindow));
  return submit(std::move(request), frame);
}

RequestId Session::write_tree(const std::string& path, WriteEvents events) {
  auto request = std::make_shared<WriteRequest>(std::move(events));
  if (!path_is_good(*request, path)) return 0;
  wire::HostFrame frame;
  frame.mutable_write_tree()->set_path(path);
  return submit(std::move(request), frame);
}

std::size_t Session::write_data(RequestId id, std::span<const std::byte> bytes) {
  return send_input(id, bytes);
}

void Session::write_finish(RequestId id) {
  close_input(id);
}

RequestId Session::exists(const std::string& path, Callback<bool> done) {
  auto decode = [](const wire::GuestFrame& reply) -> std::optional<bool> {
    if (!reply.has_exists_reply()) return std::nullopt;
    return reply.exists_reply().exists();
  };
  auto request = std::make_shared<SimpleRequest<bool>>(std::move(done), decode);
  if (!path_is_good(*request, path)) return 0;
  wire::HostFrame frame;
  frame.mutable_exists()->set_path(path);
  return submit(std::move(request), frame);
}

RequestId Session::stat(const std::string& path, bool follow, Callback<FileStat> done) {
  auto decode = [](const wire::GuestFrame& reply) -> std::optional<FileStat> {
    if (!reply.has_stat_reply()) return std::nullopt;
    return from_wire(reply.stat_reply());
  };
  auto request = std::make_shared<SimpleRequest<FileStat>>(std::move(done), decode);
  if (!path_is_good(*request, path)) return 0;
  wire::HostFrame frame;
  frame.mutable_stat()->set_path(path);
  frame.mutable_stat()->set_follow(follow);
  return submit(std::move(request), frame);
}

RequestId Session::list_dir(const std::string& path, Callback<std::vector<DirEntry>> done) {
  // The id is what submit() is about to give: frames cannot come before it returns.
  auto grant = [this, id = next_id_](std::uint64_t entries) {
    if (find(id) == nullptr || entries == 0) return;
    wire::HostFrame frame;
    frame.set_id(id);
    frame.mutable_credit()->set_stream(wire::STREAM_OUTPUT);
    frame.mutable_credit()->set_amount(entries);
    send_frame(frame);
  };
  auto give_up = [this, id = next_id_] { cancel(id); };
  auto request =
      std::make_shared<ListRequest>(std::move(done), std::move(grant), std::move(give_up));
  if (!path_is_good(*request, path)) return 0;
  wire::HostFrame frame;
  frame.mutable_list_dir()->set_path(path);
  frame.mutable_list_dir()->set_window(kEntryWindow);
  return submit(std::move(request), frame);
}

RequestId Session::mkdir(const std::string& path, bool parents, std::uint32_t mode,
                         Callback<void> done) {
  auto request = std::make_shared<SimpleRequest<void>>(std::move(done));
  if (!path_is_good(*request, path)) return 0;
  wire::HostFrame frame;
  frame.mutable_mkdir()->set_path(path);
  frame.mutable_mkdir()->set_parents(parents);
  frame.mutable_mkdir()->set_mode(mode);
  return submit(std::move(request), frame);
}

RequestId Session::remove(const std::string& path, bool recursive, Callback<void> done) {
  auto request = std::make_shared<SimpleRequest<void>>(std::move(done));
  if (!path_is_good(*request, path)) return 0;
  wire::HostFrame frame;
  frame.mutable_remove()->set_path(path);
  frame.mutable_remove()->set_recursive(recursive);
  return submit(std::move(request), frame);
}

RequestId Session::rename(const std::string& from, const std::string& to, Callback<void> done) {
  auto request = std::make_shared<SimpleRequest<void>>(std::move(done));
  if (!path_is_good(*request, from) || !path_is_good(*request, to)) return 0;
  wire::HostFrame frame;
  frame.mutable_rename()->set_from(from);
  frame.mutable_rename()->set_to(to);
  return submit(std::move(request), frame);
}

}  // namespace capsa::agent
