#pragma once

#include <agent/guest/platform.hpp>
#include <agent/guest/reaper.hpp>
#include <agent/guest/server_session.hpp>

namespace capsa::agent::guest {

/// The requests, carried out.
class GuestServices final : public Services {
 public:
  GuestServices(Platform& platform, Reaper& reaper) : platform_(platform), reaper_(reaper) {}

  void hello(const wire::Hello& hello) override;
  std::unique_ptr<Task> begin(Reply reply, const wire::HostFrame& frame, bool controlling) override;

 private:
  void set_clock(std::chrono::nanoseconds hosts);
  void set_up(Reply reply, const wire::Setup& request);
  void shut_down(Reply reply, const wire::Shutdown& request);

  Platform& platform_;
  Reaper& reaper_;
  bool clock_set_ = false;
};

}  // namespace capsa::agent::guest
