#include <actors/facade/console_fds.hpp>
#include <actors/facade/impl.hpp>

namespace capsa {

using namespace actors;
using detail::ask_map;
using detail::bounded;
using detail::net_below;

namespace {

future<ConsoleMatch> match(const detail::ConsoleImpl& impl, Lines patterns, caf::timespan timeout) {
  return impl.target->ask<ConsoleMatch>(net_below(timeout), wait_for_atom_v, std::move(patterns),
                                        timeout);
}

future<std::string> match_text(const detail::ConsoleImpl& impl, std::string pattern,
                               caf::timespan timeout) {
  return ask_map<std::string, ConsoleMatch>(
      *impl.target, net_below(timeout), [](ConsoleMatch m) { return std::move(m.text); },
      wait_for_atom_v, Lines{std::move(pattern)}, timeout);
}

/// What ConsoleReader reads.
class ConsoleOut final : public detail::StreamSource {
 public:
  explicit ConsoleOut(std::shared_ptr<detail::ConsoleImpl> impl) : impl_(std::move(impl)) {}
  future<std::string> read() override {
    const caf::timespan timeout = impl_->vm->limit();
    return impl_->target->ask<std::string>(net_below(timeout), read_atom_v, wait_atom_v, timeout);
  }
  result<UniqueFd> open_fd() override { return facade::reader_fd(impl_); }

 private:
  std::shared_ptr<detail::ConsoleImpl> impl_;
};

}  // namespace

future<std::string> Console::wait_for(std::string pattern) {
  return match_text(*impl_, std::move(pattern), impl_->vm->limit());
}

future<std::string> Console::wait_for_timeout(std::string pattern,
                                              std::chrono::milliseconds timeout) {
  return match_text(*impl_, std::move(pattern), bounded(timeout));
}

future<ConsoleMatch> Console::wait_for_any(std::vector<std::string> patterns) {
  return match(*impl_, std::move(patterns), impl_->vm->limit());
}

future<ConsoleMatch> Console::wait_for_any(std::vector<std::string> patterns,
                                           std::chrono::milliseconds timeout) {
  return match(*impl_, std::move(patterns), bounded(timeout));
}

future<std::string> Console::read_available() {
  const caf::timespan timeout = impl_->vm->limit();
  return impl_->target->ask<std::string>(net_below(timeout), read_atom_v, timeout);
}

future<void> Console::resize(PtySize size) {
  return impl_->vm->target().ask<void>(impl_->vm->limit(), resize_atom_v, size);
}

future<void> Console::write(std::string bytes) {
  return impl_->target->ask<void>(impl_->vm->limit(), write_atom_v, std::move(bytes));
}

future<ConsoleOutput> Console::exec(std::string command, std::chrono::milliseconds timeout) {
  const caf::timespan limit = bounded(timeout);
  return impl_->target->ask<ConsoleOutput>(net_below(limit), exec_atom_v, std::move(command),
                                           limit);
}

future<std::string> Console::run_command(std::string command, std::string prompt) {
  const caf::timespan timeout = impl_->vm->limit();
  return impl_->target->ask<std::string>(net_below(timeout), run_atom_v, std::move(command),
                                         std::move(prompt), timeout);
}

future<void> Console::login(std::string user, std::optional<std::string> password) {
  // A guest that boots under emulation takes a while to its prompt.
  const caf::timespan timeout = impl_->vm->limit(detail::kPatience);
  return impl_->target->ask<void>(net_below(timeout), login_atom_v, std::move(user),
                                  std::move(password), timeout);
}

std::pair<ConsoleReader, ConsoleWriter> Console::split() {
  return {ConsoleReader(std::make_shared<ConsoleOut>(impl_)), ConsoleWriter(impl_)};
}

future<void> ConsoleWriter::write(std::string bytes) {
  return impl_->target->ask<void>(impl_->vm->limit(), write_atom_v, std::move(bytes));
}

result<int> ConsoleWriter::fd() {
  if (!fd_) {
    auto made = facade::writer_fd(impl_);
    if (!made.ok()) return made.error();
    fd_ = std::make_shared<UniqueFd>(std::move(*made));
  }
  return fd_->get();
}

}  // namespace capsa
