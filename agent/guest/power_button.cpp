#include <fcntl.h>
#include <linux/input.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <agent/guest/file_tasks.hpp>
#include <agent/guest/power_button.hpp>
#include <array>
#include <string>

namespace capsa::agent::guest {

namespace {

bool has_power_key(int fd) {
  std::array<unsigned char, KEY_MAX / 8 + 1> keys{};
  if (::ioctl(fd, EVIOCGBIT(EV_KEY, keys.size()), keys.data()) < 0) return false;
  return (keys[KEY_POWER / 8] >> (KEY_POWER % 8) & 1) != 0;
}

}  // namespace

PowerButton::PowerButton(Loop& loop, std::function<void()> on_pressed)
    : loop_(loop), on_pressed_(std::move(on_pressed)) {
  const UniqueDir dir(::opendir("/dev/input"));
  if (!dir) return;
  while (const dirent* entry = ::readdir(dir.get())) {
    const std::string name = entry->d_name;
    if (!name.starts_with("event")) continue;
    UniqueFd fd(::open(("/dev/input/" + name).c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC));
    if (!fd || !has_power_key(fd.get())) continue;
    loop_.watch(fd.get(), EPOLLIN, [this, raw = fd.get()](std::uint32_t) { on_ready(raw); });
    buttons_.push_back(std::move(fd));
  }
}

PowerButton::~PowerButton() {
  for (const auto& fd : buttons_)
    loop_.unwatch(fd.get());
}

void PowerButton::on_ready(int fd) {
  input_event event{};
  ssize_t got = 0;
  while ((got = ::read(fd, &event, sizeof event)) == sizeof event)
    if (event.type == EV_KEY && event.code == KEY_POWER && event.value == 1) on_pressed_();
  if (got == 0 || (got < 0 && errno != EAGAIN)) loop_.unwatch(fd);  // the device is gone
}

}  // namespace capsa::agent::guest
