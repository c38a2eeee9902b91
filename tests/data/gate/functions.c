/* functions PORT [N]: a server whose requests run 200 functions of different cost, f0 to f199. Function N, if given, has
 * grown by 3 % of what all of them take. */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum { FUNCTIONS = 200 };
static int more[FUNCTIONS];

#define COST(n) (100 + (n) * 37 % FUNCTIONS * 3)
#define F(n) \
    __attribute__((noinline)) static void f##n(void) { \
        for (volatile int left = COST(n) + more[n]; left > 0; left--) {} \
    }
#define TEN(m, t) m(t##0) m(t##1) m(t##2) m(t##3) m(t##4) m(t##5) m(t##6) m(t##7) m(t##8) m(t##9)
#define HUNDRED(m, h) \
    TEN(m, h##0) TEN(m, h##1) TEN(m, h##2) TEN(m, h##3) TEN(m, h##4) TEN(m, h##5) TEN(m, h##6) TEN(m, h##7) TEN(m, h##8) \
    TEN(m, h##9)
#define ALL(m) \
    TEN(m, ) TEN(m, 1) TEN(m, 2) TEN(m, 3) TEN(m, 4) TEN(m, 5) TEN(m, 6) TEN(m, 7) TEN(m, 8) TEN(m, 9) HUNDRED(m, 1)

ALL(F)

static void answer(int connection) {
    static const char text[] = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
#define CALL(n) f##n();
    ALL(CALL)
    if (write(connection, text, sizeof text - 1) < 0) close(connection);
}

int main(int argc, char **argv) {
    int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0), events = epoll_create1(0), sum = 0;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1])), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    for (int n = 0; n < FUNCTIONS; n++) sum += COST(n);
    if (argc > 2) more[atoi(argv[2])] = sum * 3 / 100;
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&at, sizeof at) || listen(listener, 1024)) return 1;
    struct epoll_event event = {.events = EPOLLIN, .data.fd = listener};
    epoll_ctl(events, EPOLL_CTL_ADD, listener, &event);
    for (;;) {
        char head[4096];
        if (epoll_wait(events, &event, 1, -1) != 1) continue;
        if (event.data.fd == listener) {
            int connection = accept(listener, NULL, NULL);
            setsockopt(connection, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
            event = (struct epoll_event){.events = EPOLLIN, .data.fd = connection};
            epoll_ctl(events, EPOLL_CTL_ADD, connection, &event);
        } else if (read(event.data.fd, head, sizeof head) > 0) {
            /* The generator sends a head at once. */
            answer(event.data.fd);
        } else {
            close(event.data.fd);
        }
    }
}
