#pragma once

#include <backends/block/nbd_pump.hpp>
#include <backends/block/nbd_store.hpp>
#include <memory>
#include <vector>

namespace capsa::block {

/// NbdStore on a connected handle.
class NbdClient final : public NbdStore {
 public:
  NbdClient(Loop& loop, NbdHandle handle, bool read_only);
  ~NbdClient() override;

  const StoreInfo& info() const noexcept override { return info_; }
  void attach(StoreClient* client) noexcept override { client_ = client; }
  void start(Request& request) override;
  void submit() override;
  void close(std::function<void()> done) override;
  void on_lost(std::function<void(error)> lost) override { lost_ = std::move(lost); }

 private:
  void ask_server(bool read_only);
  void issue_all();
  void issue(Request& request);
  void issue_transfer(Request& request);
  void issue_piece(Request& request, std::byte* bytes, std::size_t length, std::uint64_t offset);
  void piece_done(Request& request, int error);
  void request_done(Request& request);
  void round();
  void tell();
  void lose();
  void finish_close();
  static int answered(void* user_data, int* error);

  Loop& loop_;
  NbdHandle handle_;
  StoreInfo info_;
  std::uint32_t minimum_ = 1;    // bytes; what the server insists on
  std::size_t max_payload_ = 0;  // bytes of one command
  bool can_flush_ = false;
  bool can_fua_ = false;
  StoreClient* client_ = nullptr;
  std::vector<Request*> started_;   // not yet issued
  std::vector<Request*> issued_;    // progress.next is the place in here
  std::vector<Request*> finished_;  // the client does not know yet
  bool busy_ = false;               // in a round that ends with issue_all()
  bool closing_ = false;
  std::function<void()> close_done_;
  std::function<void(error)> lost_;
  std::string lost_why_;              // not empty: to be told
  std::shared_ptr<NbdClient*> self_;  // expires with this
  std::unique_ptr<NbdPump> pump_;     // nullptr once closed or lost
};

}  // namespace capsa::block
