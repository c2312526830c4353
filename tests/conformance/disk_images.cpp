#include <tests/conformance/disk_images.hpp>

#include <fcntl.h>
#include <sys/wait.h>
#include <array>
#include <cinttypes>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

namespace capsa::test {

namespace fs = std::filesystem;

namespace {

std::string content(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

bool is_qcow2(const fs::path& image) {
  return image.extension() == ".qcow2";
}

void replay(struct disk_script script, std::string& bytes) {
  struct disk_step step {};
  std::array<std::uint64_t, std::size_t{DISK_MAX_BLOCKS} * DISK_BLOCK / 8> buffer;
  while (disk_next_step(&script, &step) != 0) {
    const std::size_t length = std::size_t{step.count} * DISK_BLOCK;
    char* const at = bytes.data() + step.block * DISK_BLOCK;
    switch (step.operation) {
      case DISK_FLUSH:
        break;
      case DISK_ZERO:
      case DISK_PUNCH:
        std::memset(at, 0, length);
        break;
      case DISK_WRITE:
      case DISK_DISCARD:
        disk_bytes(step.seed, buffer.data(), length / 8);
        std::memcpy(at, buffer.data(), length);
        break;
    }
  }
}

}  // namespace

HostRun run_on_host(const std::string& shell_line) {
  HostRun out;
  std::FILE* const pipe = ::popen(("exec 2>&1; " + shell_line).c_str(), "re");
  if (pipe == nullptr) return out;
  std::array<char, 4096> piece;
  while (const auto n = std::fread(piece.data(), 1, piece.size(), pipe))
    out.output.append(piece.data(), n);
  const int status = ::pclose(pipe);
  if (WIFEXITED(status)) out.status = WEXITSTATUS(status);
  return out;
}

fs::path make_image(const fs::path& path, std::uint64_t mib) {
  const auto made =
      run_on_host("qemu-img create -q -f " + std::string(is_qcow2(path) ? "qcow2" : "raw") + " " +
                  path.string() + " " + std::to_string(mib) + "M");
  if (made.status != 0) throw std::runtime_error("qemu-img create: " + made.output);
  return path;
}

std::string bytes_of_image(const fs::path& image) {
  if (!is_qcow2(image)) return content(image);
  const fs::path raw = image.string() + ".bytes";
  const auto done =
      run_on_host("qemu-img convert -f qcow2 -O raw " + image.string() + " " + raw.string());
  std::string out = done.status == 0 ? content(raw) : "qemu-img convert: " + done.output;
  fs::remove(raw);
  return out;
}

bool holds(const fs::path& raw_image, const std::string& bytes) {
  std::ifstream in(raw_image, std::ios::binary);
  std::string piece(1U << 20, '\0');
  for (std::size_t at = 0; at < bytes.size(); at += piece.size()) {
    piece.resize(std::min(piece.size(), bytes.size() - at));
    in.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    if (!in || bytes.compare(at, piece.size(), piece) != 0) return false;
  }
  return in.peek() == std::ifstream::traits_type::eof();
}

int check_image(const fs::path& image) {
  return run_on_host("qemu-img check -q -f qcow2 " + image.string()).status;
}

std::vector<int> server_pids_of(const fs::path& image) {
  std::vector<int> out;
  std::error_code ignored;
  for (const auto& process : fs::directory_iterator("/proc", ignored)) {
    const auto line = content(process.path() / "cmdline");
    if (line.find("qemu-storage-daemon") != std::string::npos &&
        line.find(image.native()) != std::string::npos)
      out.push_back(std::atoi(process.path().filename().c_str()));
  }
  return out;
}

std::size_t servers_of(const fs::path& image) {
  return server_pids_of(image).size();
}

bool is_locked(const fs::path& image) {
  const UniqueFd fd(::open(image.c_str(), O_RDWR | O_CLOEXEC));
  struct flock all {};
  all.l_type = F_WRLCK;
  all.l_whence = SEEK_SET;
  return !fd || ::fcntl(fd.get(), F_OFD_SETLK, &all) != 0;
}

AgentClient agent_with_worker(const VmHandle& vm) {
  auto agent = vm.agent().get();
  agent.write_file("/tmp/worker", content(DISK_WORKER), 0755).get();
  return agent;
}

std::string filled_disk(std::uint64_t disk_mib, std::uint64_t seed, std::uint64_t mib,
                        unsigned workers) {
  std::string bytes(disk_mib << 20, '\0');
  for (unsigned worker = 0; worker < workers; ++worker)
    replay(
        disk_script_of(seed, bytes.size() / DISK_BLOCK, (mib << 20) / DISK_BLOCK, worker, workers),
        bytes);
  return bytes;
}

std::string sum_of(const std::string& bytes) {
  std::uint64_t sum = 0;
  std::array<std::uint64_t, 512> words;
  for (std::size_t at = 0; at + sizeof words <= bytes.size(); at += sizeof words) {
    std::memcpy(words.data(), bytes.data() + at, sizeof words);
    sum = disk_sum(sum, words.data(), words.size());
  }
  std::array<char, 32> text;
  std::snprintf(text.data(), text.size(), "%016" PRIx64 "\n", sum);
  return text.data();
}

std::uint64_t number_from_environment(const char* variable, std::uint64_t otherwise) {
  const char* const value = std::getenv(variable);
  return value != nullptr ? std::strtoull(value, nullptr, 10) : otherwise;
}

}  // namespace capsa::test
