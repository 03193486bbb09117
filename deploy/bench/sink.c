/* sink: a collector that believes everything. Takes HTTP requests on the loopback, one connection after another, answers
 * 200, and prints a line with the bytes of each body. Brings the loopback up, because its network may be a fresh one.
 *
 * usage: sink PORT */
#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static char head[64 * 1024];

static void raise_loopback(int fd) {
    struct ifreq request;
    memset(&request, 0, sizeof request);
    strcpy(request.ifr_name, "lo");
    if (ioctl(fd, SIOCGIFFLAGS, &request) == 0 && !(request.ifr_flags & IFF_UP)) {
        request.ifr_flags |= IFF_UP | IFF_RUNNING;
        ioctl(fd, SIOCSIFFLAGS, &request);
    }
}

/* Answers the requests of one connection until it ends. */
static void serve(int connection) {
    static const char answer[] = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 27\r\n\r\n"
                                 "{\"stored\":1,\"duplicates\":0}";
    size_t filled = 0;
    for (;;) {
        char *end;
        head[filled] = 0;
        while (!(end = strstr(head, "\r\n\r\n"))) {
            ssize_t n = filled < sizeof head - 1 ? read(connection, head + filled, sizeof head - 1 - filled) : 0;
            if (n <= 0) {
                return;
            }
            filled += (size_t)n;
            head[filled] = 0;
        }
        long length = 0;
        for (char *line = head; line < end; line = strstr(line, "\r\n") + 2) {
            if (strncasecmp(line, "content-length:", 15) == 0) {
                length = atol(line + 15);
            }
        }
        size_t have = filled - (size_t)(end + 4 - head);
        long left = length - (long)have;
        while (left > 0) {
            ssize_t n = read(connection, head, (size_t)left < sizeof head ? (size_t)left : sizeof head);
            if (n <= 0) {
                return;
            }
            left -= n;
        }
        filled = 0; /* nobody pipelines here */
        if (write(connection, answer, sizeof answer - 1) < 0) {
            return;
        }
        printf("%ld\n", length);
        fflush(stdout);
    }
}

int main(int count, char **words) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    if (count != 2) {
        fprintf(stderr, "usage: sink PORT\n");
        return 2;
    }
    address.sin_port = htons((unsigned short)atoi(words[1]));
    raise_loopback(listener);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) != 0 || listen(listener, 8) != 0) {
        perror("sink");
        return 1;
    }
    for (;;) {
        int connection = accept(listener, NULL, NULL);
        if (connection >= 0) {
            setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            serve(connection);
            close(connection);
        }
    }
}
