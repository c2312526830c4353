#include <actors/agent_link/requests.hpp>

#include <actors/loop/callback_thread.hpp>

namespace capsa::agent_link {

namespace {

// exec() collects output for its caller: more than this belongs to start() and its handlers.
constexpr std::size_t kCollectAtMost = 256U << 20;

std::string text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

caf::error no_such_process() {
  return protocol::to_caf({ErrorCode::NotFound, "no such process, or it ended long ago"});
}

// Ids of file transfers, told apart from those of processes by the top bit.
constexpr std::uint64_t kReading = 1ULL << 63;

}  // namespace

void AgentLinkState::with_session(std::function<void(agent::Session&)> request) {
  if (!ready_) {
    waiting_.push_back(std::move(request));
    // The user needs the agent again after we had given up on it.
    if (!connection_ && attempts_ >= 1) {
      attempts_ = 0;
      reconnect();
    }
    return;
  }
  request(*session_);
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
  with_session([this, state, spec = std::move(spec)](agent::Session& session) {
    const auto collect = [this, state](std::string ExecResult::*field, agent::Stream stream) {
      return [this, state, field, stream](std::span<const std::byte> bytes) {
        auto& into = state->result.*field;
        if (into.size() + bytes.size() > kCollectAtMost) {
          state->too_much = true;
          session_->cancel(state->id);
          return;
        }
        into += text(bytes);
        session_->grant(state->id, stream, bytes.size());
      };
    };
    agent::ExecEvents events;
    events.stdout_data = collect(&ExecResult::stdout_data, agent::Stream::Output);
    events.stderr_data = collect(&ExecResult::stderr_data, agent::Stream::Error);
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
  });
  return state->promise;
}

caf::result<actors::StartedProcess> AgentLinkState::start(ExecSpec spec, OutputHandlers handlers) {
  auto process = processes_.add();
  process->handlers = std::move(handlers);
  process->started = self_->make_response_promise();
  auto promise = process->started;
  with_session([this, process, spec = std::move(spec)](agent::Session& session) {
    agent::ExecEvents events;
    events.started = [process](std::int64_t pid) {
      process->started.deliver(actors::StartedProcess{process->id, pid});
    };
    const auto output = [this, process](const actors::Sink& sink, agent::Stream stream) {
      return [this, process, &sink, stream](std::span<const std::byte> bytes) {
        if (!sink) {
          session_->grant(process->request, stream, bytes.size());
          return;
        }
        process->outstanding += bytes.size();
        deliver(sink, process->id, stream == agent::Stream::Output ? 0 : 1, bytes);
      };
    };
    events.stdout_data = output(process->handlers.on_stdout, agent::Stream::Output);
    events.stderr_data = output(process->handlers.on_stderr, agent::Stream::Error);
    events.stdin_room = [this, process](std::size_t) { process->pump(*session_); };
    events.stdin_closed = [process] {
      process->fail_writes({ErrorCode::ConnectionClosed, "the process reads no more input"});
    };
    events.done = [this, process](result<ExitStatus> status) {
      process->end = std::move(status);
      process->settle();
      processes_.trim();
    };
    process->request = session.exec(spec, std::move(events));
    process->pump(session);
  });
  return promise;
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
  with_session([this, reading, path = std::move(path)](agent::Session& session) {
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
  });
  return promise;
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
  with_session([this, writing, path = std::move(path), mode](agent::Session& session) {
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
  });
  return writing->promise;
}

void AgentLinkState::deliver(const actors::Sink& sink, std::uint64_t id, std::uint32_t stream,
                             std::span<const std::byte> bytes) {
  auto piece = std::make_shared<std::string>(text(bytes));
  // Weak: a handler that blocks must not keep the link alive past its VM.
  caf::actor_addr weak = self_->address();
  callbacks_.post([sink, id, stream, piece, weak] {
    if (sink) sink(*piece);
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
  } else if (const auto process = processes_.find(id)) {
    process->outstanding -= bytes;
    if (session_ && !process->end)
      session_->grant(process->request, stream == 0 ? agent::Stream::Output : agent::Stream::Error,
                      bytes);
    process->settle();
  }
  flush();
}

}  // namespace capsa::agent_link
