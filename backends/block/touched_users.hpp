#pragma once

#include <algorithm>
#include <backends/block/file_io.hpp>
#include <utility>
#include <vector>

namespace capsa::block {

/// The users that had something finished since their last batch_end().
class TouchedUsers {
 public:
  void add(FileUser& user) {
    if (std::find(users_.begin(), users_.end(), &user) == users_.end()) users_.push_back(&user);
  }
  void forget(FileUser& user) noexcept {
    std::replace(users_.begin(), users_.end(), &user, static_cast<FileUser*>(nullptr));
  }
  bool empty() const noexcept { return users_.empty(); }
  void end_batch() {
    // By index: a user that ends here forgets itself, and waiting for it may add others.
    for (std::size_t i = 0; i < users_.size(); ++i)
      if (FileUser* const user = std::exchange(users_[i], nullptr)) user->batch_end();
    users_.clear();
  }

 private:
  std::vector<FileUser*> users_;
};

}  // namespace capsa::block
