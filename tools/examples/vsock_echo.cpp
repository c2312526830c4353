#include <capsa/capsa.hpp>
#include <iostream>
#include <string>

#include <sys/socket.h>
#include <unistd.h>

// A stream from a program in the guest to this one, and back, without a network. The guest's end is
// in Python, of which the host's own is shared read-only.
int main() try {
  constexpr std::uint32_t kPort = 5000;
  const std::string script =
      "import socket\n"
      "s = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)\n"
      "s.connect((socket.VMADDR_CID_HOST, 5000))\n"
      "while (data := s.recv(4096)): s.sendall(data.upper())\n";
  auto vm = capsa::Capsa::sandbox()
                .share("/", "/host")
                .vsock_listen(kPort)
                .run("chroot", {"/host", "/usr/bin/python3", "-c", script})
                .build()
                .get();

  const auto stream = vm.vsock_socket(kPort)->accept().get();
  const std::string text = "hello from the host\n";
  if (::write(stream.fd(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) return 1;
  ::shutdown(stream.fd(), SHUT_WR);

  char buffer[4096];
  for (ssize_t got; (got = ::read(stream.fd(), buffer, sizeof buffer)) > 0;)
    std::cout.write(buffer, got);
  vm.kill().get();
} catch (const capsa::error& e) {
  std::cerr << e.what() << '\n';
  return 1;
}
