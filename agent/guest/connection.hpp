#pragma once

#include <agent/guest/server_session.hpp>
#include <capsa/detail/unique_fd.hpp>
#include <functional>
#include <string>

namespace capsa::agent::guest {

/// A connected stream socket (vsock, or unix in tests) that is served.
class Connection final : public Outbox {
 public:
  /// `on_closed` is called once, from the loop, when the connection is over; it may destroy this.
  Connection(Loop& loop, Services& services, UniqueFd socket, std::function<void()> on_closed);
  ~Connection() override;
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;

  void write(std::string_view bytes) override;
  std::size_t queued() const override { return out_.size() - sent_; }

 private:
  void on_ready(std::uint32_t events);
  void receive();
  void flush();
  void update_events();
  void close();

  Loop& loop_;
  UniqueFd socket_;
  std::function<void()> on_closed_;
  std::string out_;
  std::size_t sent_ = 0;
  Loop::TimerId flush_timer_ = 0;
  bool finishing_ = false;  // nothing more is read; closed once what is queued is gone
  bool dead_ = false;
  ServerSession session_;
};

}  // namespace capsa::agent::guest
