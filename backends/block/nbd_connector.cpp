#include <backends/block/nbd_client.hpp>
#include <backends/block/nbd_pump.hpp>
#include <backends/block/nbd_store.hpp>
#include <utility>

namespace capsa::block {
namespace {

std::string libnbd_error() {
  const char* const why = libnbd().get_error();
  return why != nullptr ? why : "unknown failure";
}

std::string name_of(const NbdTarget& target) {
  return "NBD server " + (target.uri.empty() ? target.socket : target.uri);
}

}  // namespace

class NbdConnector::Attempt : public std::enable_shared_from_this<Attempt> {
 public:
  Attempt(Loop& loop, NbdTarget target, Done done)
      : loop_(loop), target_(std::move(target)), done_(std::move(done)) {}

  void begin() {
    timer_ = loop_.call_after(target_.timeout, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) {
        self->finish(error(ErrorCode::Timeout, name_of(self->target_) + ": no answer in time",
                           "see that it runs, and that nothing else holds its only connection"));
      }
    });
    if (target_.uri.empty() == target_.socket.empty()) {
      return fail_soon({ErrorCode::InvalidConfig, "NBD server: give a socket or a URI"});
    }
    if (const auto loaded = load_libnbd(); !loaded) return fail_soon(loaded.error());
    handle_.reset(libnbd().create());
    if (!handle_) return fail_soon({ErrorCode::ResourceExhausted, "NBD: " + libnbd_error()});
    nbd_handle* const handle = handle_.get();
    // Reads go straight into guest memory, which needs no wiping first.
    libnbd().set_pread_initialize(handle, false);
    libnbd().set_uri_allow_transports(handle,
                                      LIBNBD_ALLOW_TRANSPORT_TCP | LIBNBD_ALLOW_TRANSPORT_UNIX);
    int outcome = 0;
    if (target_.uri.empty()) {
      outcome = libnbd().set_export_name(handle, target_.export_name.c_str());
      if (outcome == 0) outcome = libnbd().aio_connect_unix(handle, target_.socket.c_str());
    } else {
      outcome = libnbd().aio_connect_uri(handle, target_.uri.c_str());
    }
    // A refusal in here leaves a dead handle, as a later one does.
    if (outcome < 0) return fail_soon(refused(libnbd_error()));
    pump_ = std::make_unique<NbdPump>(loop_, handle, [this] { moved(); });
    pump_->update();
    if (pump_->ready() || pump_->dead()) post([](Attempt& self) { self.moved(); });
  }

 private:
  error refused(const std::string& why) const {
    return {ErrorCode::ConnectionClosed, name_of(target_) + ": " + why};
  }

  /// Nobody is called from within the constructor.
  void fail_soon(error why) {
    post([why](Attempt& self) { self.finish(why); });
  }

  template <class Function>
  void post(Function function) {
    loop_.post([weak = weak_from_this(), function] {
      if (const auto self = weak.lock()) function(*self);
    });
  }

  void moved() {
    if (!pump_) return;
    if (pump_->dead()) return finish(refused(pump_->failure()));
    if (!pump_->ready()) return;
    pump_.reset();
    auto store = std::make_unique<NbdClient>(loop_, std::move(handle_), target_.read_only);
    if (store->info().size == 0) {
      return finish(error(ErrorCode::InvalidConfig, name_of(target_) + ": its disk is empty"));
    }
    finish(std::unique_ptr<NbdStore>(std::move(store)));
  }

  void finish(result<std::unique_ptr<NbdStore>> outcome) {
    // Stays until the end, whatever `done` destroys.
    const auto self = shared_from_this();
    pump_.reset();
    handle_.reset();
    loop_.cancel(timer_);
    if (const auto done = std::exchange(done_, {})) done(std::move(outcome));
  }

  Loop& loop_;
  NbdTarget target_;
  Done done_;
  Loop::TimerId timer_ = 0;
  NbdHandle handle_;
  std::unique_ptr<NbdPump> pump_;

 public:
  void take_back() {
    done_ = {};
    pump_.reset();
    handle_.reset();
    loop_.cancel(timer_);
  }
};

NbdConnector::NbdConnector(Loop& loop, NbdTarget target, Done done)
    : attempt_(std::make_shared<Attempt>(loop, std::move(target), std::move(done))) {
  attempt_->begin();
}

NbdConnector::~NbdConnector() {
  attempt_->take_back();
}

}  // namespace capsa::block
