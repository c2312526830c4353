// The guest's end of vsock tests; static, carried into the guest by the agent.
//   vsock_peer listen PORT   echoes every connection, each in a process of its own
//   vsock_peer connect PORT  connects to the host and echoes until the host closes its direction
//   vsock_peer sink PORT     connects to the host and writes what comes to standard output
//   vsock_peer source PORT   connects to the host and sends standard input, then closes its direction
//   vsock_peer intrude PORT  connects to the host from a port that only root may have, and closes
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
// After sys/socket.h, which it needs.
#include <linux/vm_sockets.h>

static char buffer[1 << 16];

static int copy(int from, int to) {
  for (;;) {
    ssize_t n = read(from, buffer, sizeof buffer);
    if (n <= 0) return n < 0;
    for (ssize_t done = 0; done < n;) {
      ssize_t m = write(to, buffer + done, (size_t)(n - done));
      if (m < 0) return 1;
      done += m;
    }
  }
}

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  struct sockaddr_vm address = {.svm_family = AF_VSOCK, .svm_port = (unsigned)atoi(argv[2])};
  int fd = socket(AF_VSOCK, SOCK_STREAM, 0);
  if (fd < 0) return 3;
  if (strcmp(argv[1], "listen") == 0) {
    address.svm_cid = VMADDR_CID_ANY;
    if (bind(fd, (struct sockaddr*)&address, sizeof address) != 0 || listen(fd, 512) != 0) return 4;
    puts("listening");
    fflush(stdout);
    for (;;) {
      int client = accept(fd, NULL, NULL);
      if (client < 0) return 5;
      if (fork() == 0) {
        close(fd);
        int failed = copy(client, client);
        shutdown(client, SHUT_WR);
        _exit(failed);
      }
      close(client);
    }
  }
  if (strcmp(argv[1], "intrude") == 0) {
    struct sockaddr_vm own = {
        .svm_family = AF_VSOCK, .svm_cid = VMADDR_CID_ANY, .svm_port = 700};
    if (bind(fd, (struct sockaddr*)&own, sizeof own) != 0) return 4;
  }
  address.svm_cid = VMADDR_CID_HOST;
  if (connect(fd, (struct sockaddr*)&address, sizeof address) != 0) return 6;
  if (strcmp(argv[1], "intrude") == 0) return 0;
  if (strcmp(argv[1], "connect") == 0) {
    int failed = copy(fd, fd);
    shutdown(fd, SHUT_WR);
    return failed;
  }
  if (strcmp(argv[1], "sink") == 0) return copy(fd, 1);
  if (strcmp(argv[1], "source") == 0) {
    int failed = copy(0, fd);
    shutdown(fd, SHUT_WR);
    // Until the host has read it all and closed: an early close could overtake the data.
    return failed | (read(fd, buffer, 1) != 0);
  }
  return 2;
}
