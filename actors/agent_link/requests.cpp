#include <actors/agent_link/requests.hpp>

#include <actors/loop/callback_thread.hpp>

namespace capsa::agent_link {

namespace {

// What is collected for a caller, in one string: the guest decides how much comes. More than this
// belongs to a function that takes it piece by piece.
constexpr std::size_t kCollectAtMost = 256U << 20;

std::string text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// False where that would be too much.
bool collect(std::string& into, std::span<const std::byte> bytes) {
  if (into.size() + bytes.size() > kCollectAtMost) return false;
  into.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return true;
}

caf::error no_such_process() {
  return protocol::to_caf({ErrorCode::NotFound, "no such process, or it ended long ago"});
}

}  // namespace

void AgentLinkState::with_session(std::function<void(agent::Session&)> run,
                                  std::function<void(const capsa::error&)> fail) {
  if (!ready_) {
    waiting_.push_back({std::move(run), std::move(fail)});
    return look_for_agent();
  }
  run(*session_);
  flush();
}

caf::result<ExecResult> AgentLinkState::exec(ExecSpec spec) {
  struct Collect {
    caf::response_promise promise;
    ExecResult result;
    agent::RequestId id = 0;
    bool too_much = false;
  };
  auto state = std::make_shared<Collect>();
  state->promise = self_->make_response_promise();
  spec.stdin_open = false;
  auto run = [this, state, spec = std::move(spec)](agent::Session& session) {
    const auto output = [this, state](std::string ExecResult::*field, agent::Stream stream) {
      return [this, state, field, stream](std::span<const std::byte> bytes) {
        if (collect(state->result.*field, bytes))
          return session_->grant(state->id, stream, bytes.size());
        state->too_much = true;
        session_->cancel(state->id);
      };
    };
    agent::ExecEvents events;
    events.stdout_data = output(&ExecResult::stdout_data, agent::Stream::Output);
    events.stderr_data = output(&ExecResult::stderr_data, agent::Stream::Error);
    events.done = [state](result<ExitStatus> status) {
      if (state->too_much) {
        state->promise.deliver(
            protocol::to_caf({ErrorCode::ResourceExhausted, "the command printed more than 256 MiB",
                              "use start() with handlers that take the output as it comes"}));
      } else if (!status.ok()) {
        state->promise.deliver(protocol::to_caf(status.error()));
      } else {
        state->result.status = *status;
        state->promise.deliver(std::move(state->result));
      }
    };
    state->id = session.exec(spec, std::move(events));
  };
  with_session(run,
               [state](const capsa::error& why) { state->promise.deliver(protocol::to_caf(why)); });
  return state->promise;
}

caf::result<actors::StartedProcess> AgentLinkState::start(ExecSpec spec, OutputHandlers handlers) {
  const auto process = processes_.add();
  process->handlers = std::move(handlers);
  const auto output = [this, process](std::uint32_t number, agent::Stream stream) {
    const auto& sink = number == 0 ? process->handlers.on_stdout : process->handlers.on_stderr;
    return [this, process, &sink, number, stream](std::span<const std::byte> bytes) {
      if (!sink) {
        session_->grant(process->request, stream, bytes.size());
        return;
      }
      process->outstanding += bytes.size();
      deliver(sink, process->id, number, bytes);
    };
  };
  return launch(process, std::move(spec), output(0, agent::Stream::Output),
                output(1, agent::Stream::Error), nullptr);
}

caf::result<actors::StartedProcess> AgentLinkState::launch(
    const std::shared_ptr<RunningProcess>& process, ExecSpec spec, agent::BytesCallback on_stdout,
    agent::BytesCallback on_stderr, std::function<void(const result<ExitStatus>&)> on_end) {
  process->started = self_->make_response_promise();
  auto promise = process->started;
  const auto over = [this, process, on_end = std::move(on_end)](result<ExitStatus> end) {
    if (on_end) on_end(end);
    process->end = std::move(end);
    settle(*process);
  };
  auto run = [this, process, over, spec = std::move(spec), on_stdout = std::move(on_stdout),
              on_stderr = std::move(on_stderr)](agent::Session& session) {
    agent::ExecEvents events;
    events.started = [process](std::int64_t pid) {
      process->started.deliver(actors::StartedProcess{process->id, pid});
    };
    events.stdout_data = on_stdout;
    events.stderr_data = on_stderr;
    events.stdin_room = [this, process](std::size_t) { process->pump(*session_); };
    events.stdin_closed = [process] {
      process->fail_writes({ErrorCode::ConnectionClosed, "the process reads no more input"});
    };
    events.done = over;
    process->request = session.exec(spec, std::move(events));
    process->pump(session);
  };
  with_session(std::move(run), over);
  return promise;
}

void AgentLinkState::settle(RunningProcess& process) {
  process.settle();
  if (!process.over() || std::exchange(process.told, true)) return;
  // What they hold may be what keeps this VM alive.
  process.handlers = {};
  ends_->add(self_->id(), process.id, *process.end);
  processes_.ended(process.id);
}

caf::result<ExitStatus> AgentLinkState::wait(std::uint64_t id) {
  const auto process = processes_.find(id);
  if (!process) return no_such_process();
  auto promise = self_->make_response_promise();
  process->waiters.push_back(promise);
  process->settle();
  return promise;
}

caf::result<void> AgentLinkState::write_stdin(std::uint64_t id, std::string bytes) {
  const auto process = processes_.find(id);
  if (!process) return no_such_process();
  if (process->stdin_gone || process->end)
    return protocol::to_caf({ErrorCode::ConnectionClosed, "the process reads no more input"});
  auto promise = self_->make_response_promise();
  process->writes.push_back({std::move(bytes), 0, promise});
  if (session_) process->pump(*session_);
  flush();
  return promise;
}

caf::result<void> AgentLinkState::close_stdin(std::uint64_t id) {
  return with_process(id, [this](RunningProcess& process) {
    process.close_after_writes = true;
    process.pump(*session_);
  });
}

caf::result<std::uint64_t> AgentLinkState::read_file(std::string path, actors::Sink sink) {
  auto reading = std::make_shared<Reading>();
  reading->sink = std::move(sink);
  reading->promise = self_->make_response_promise();
  auto promise = reading->promise;
  auto run = [this, reading, path = std::move(path)](agent::Session& session) {
    const std::uint64_t id = kReading | next_reading_++;
    readings_.emplace(id, reading);
    agent::ReadEvents events;
    events.data = [this, reading, id](std::span<const std::byte> bytes) {
      reading->received += bytes.size();
      reading->outstanding += bytes.size();
      deliver(reading->sink, id, 0, bytes);
    };
    events.done = [this, reading, id](result<void> end) {
      reading->done = std::move(end);
      finish(id, *reading);
    };
    reading->request = session.read_file(path, {}, std::move(events));
  };
  with_session(
      run, [reading](const capsa::error& why) { reading->promise.deliver(protocol::to_caf(why)); });
  return promise;
}

caf::result<std::string> AgentLinkState::read_whole_file(std::string path) {
  struct Collect {
    caf::response_promise promise;
    std::string content;
    agent::RequestId id = 0;
    bool too_much = false;
  };
  auto state = std::make_shared<Collect>();
  state->promise = self_->make_response_promise();
  auto run = [this, state, path = std::move(path)](agent::Session& session) {
    agent::ReadEvents events;
    events.data = [this, state](std::span<const std::byte> bytes) {
      if (collect(state->content, bytes))
        return session_->grant(state->id, agent::Stream::Output, bytes.size());
      state->too_much = true;
      session_->cancel(state->id);
    };
    events.done = [state](result<void> end) {
      if (state->too_much)
        state->promise.deliver(
            protocol::to_caf({ErrorCode::ResourceExhausted, "the file has more than 256 MiB",
                              "use read_file() with a function that takes it piece by piece"}));
      else if (!end.ok())
        state->promise.deliver(protocol::to_caf(end.error()));
      else
        state->promise.deliver(std::move(state->content));
    };
    state->id = session.read_file(path, {}, std::move(events));
  };
  with_session(run,
               [state](const capsa::error& why) { state->promise.deliver(protocol::to_caf(why)); });
  return state->promise;
}

void AgentLinkState::finish(std::uint64_t id, Reading& reading) {
  if (!reading.done || reading.outstanding > 0) return;
  if (reading.done->ok())
    reading.promise.deliver(reading.received);
  else
    reading.promise.deliver(protocol::to_caf(reading.done->error()));
  readings_.erase(id);
}

caf::result<void> AgentLinkState::write_file(std::string path, std::string content,
                                             std::uint32_t mode) {
  struct Writing {
    caf::response_promise promise;
    std::string content;
    std::size_t done = 0;
    agent::RequestId id = 0;
    bool finished = false;
  };
  auto writing = std::make_shared<Writing>();
  writing->promise = self_->make_response_promise();
  writing->content = std::move(content);
  auto run = [this, writing, path = std::move(path), mode](agent::Session& session) {
    const auto pump = [this, writing] {
      if (writing->finished || writing->id == 0) return;
      const auto all = std::as_bytes(std::span(writing->content));
      writing->done += session_->write_data(writing->id, all.subspan(writing->done));
      if (writing->done < all.size()) return;
      writing->finished = true;
      session_->write_finish(writing->id);
    };
    agent::WriteEvents events;
    events.room = [pump](std::size_t) { pump(); };
    events.done = [writing](result<void> end) {
      writing->finished = true;
      protocol::answer(writing->promise, std::move(end));
    };
    WriteFileOptions options;
    options.mode = mode;
    writing->id = session.write_file(path, options, std::move(events));
    pump();
  };
  with_session(
      run, [writing](const capsa::error& why) { writing->promise.deliver(protocol::to_caf(why)); });
  return writing->promise;
}

void AgentLinkState::deliver(const actors::Sink& sink, std::uint64_t id, std::uint32_t stream,
                             std::span<const std::byte> bytes) {
  auto piece = std::make_shared<std::string>(text(bytes));
  // Weak: a handler that blocks must not keep the link alive past its VM.
  caf::actor_addr weak = self_->address();
  callbacks_.post([sink, id, stream, piece, weak] {
    try {
      if (sink) sink(*piece);
    } catch (...) {
      // The user's function has nobody to tell. Its bytes are taken all the same: whoever waits for
      // the end of the stream would wait for ever.
    }
    if (auto strong = caf::actor_cast<caf::strong_actor_ptr>(weak))
      caf::anon_send(caf::actor_cast<caf::actor>(strong), protocol::taken_atom_v, id, stream,
                     static_cast<std::uint64_t>(piece->size()));
  });
}

void AgentLinkState::on_taken(std::uint64_t id, std::uint32_t stream, std::uint64_t bytes) {
  if ((id & kReading) != 0) {
    const auto it = readings_.find(id);
    if (it == readings_.end()) return;
    const auto reading = it->second;
    reading->outstanding -= bytes;
    if (session_ && !reading->done) session_->grant(reading->request, agent::Stream::Output, bytes);
    finish(id, *reading);
  } else if ((id & kCopying) != 0) {
    on_copy_step(id);
  } else if (const auto process = processes_.find(id)) {
    process->outstanding -= bytes;
    if (session_ && !process->end)
      session_->grant(process->request, stream == 0 ? agent::Stream::Output : agent::Stream::Error,
                      bytes);
    settle(*process);
  }
  flush();
}

}  // namespace capsa::agent_link
